/** The metrics of the server: gathered by its parts, sent and shown from here. */
import {
  createProcessMetrics,
  createSender,
  EXPOSITION_TYPE,
  type StatsdTarget,
} from '../../metrics/index.ts'
import type { Settings } from '../../model/index.ts'
import {
  systemClock,
  systemResolve,
  watchLoopLag,
  type GaugeReading,
  type Log,
  type MetricSink,
} from '../../platform/index.ts'
import type { Scheduler } from '../../scheduler/index.ts'

export interface ServerMetrics {
  sink: MetricSink
  exposition: () => Promise<string>
  contentType: string
  start(scheduler: Pick<Scheduler, 'gauges' | 'health'>): void
  /** For programs that are no server. */
  startWith(read: () => Promise<GaugeReading[]>): void
  close(): Promise<void>
}

/** Sends nothing before `start`. */
export function openMetrics({ statsd, tags }: Settings['metrics'], log: Log): ServerMetrics {
  const sender =
    statsd === undefined
      ? null
      : createSender({
          target: toTarget(statsd),
          resolve: systemResolve,
          clock: systemClock,
          onFault: createTeller(log),
        })
  const metrics = createProcessMetrics({ tags, sender, clock: systemClock, log })
  const lag = watchLoopLag()
  return {
    sink: metrics.sink,
    exposition: () => metrics.exposition(),
    contentType: EXPOSITION_TYPE,
    start: (scheduler) =>
      metrics.start(async () => [
        ...(await scheduler.gauges()),
        { name: 'circle.scheduler.loop.lag', value: lag.takeWorstMs() / 1000 },
        { name: 'circle.scheduler.faults', value: (await scheduler.health()).length },
      ]),
    startWith: (read) => metrics.start(read),
    async close() {
      lag.close()
      await metrics.close()
    },
  }
}

/** Once for each new reason: it would come with every set. */
function createTeller(log: Log): (what: string) => void {
  let last = ''
  return (what) => {
    if (what !== last) log.warn('metrics are not sent', { reason: what })
    last = what
  }
}

function toTarget(statsd: string): StatsdTarget {
  if (statsd.startsWith('unix://')) return { kind: 'unix', path: statsd.slice('unix://'.length) }
  const colon = statsd.lastIndexOf(':')
  const host = statsd.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return { kind: 'udp', host, port: Number(statsd.slice(colon + 1)) }
}
