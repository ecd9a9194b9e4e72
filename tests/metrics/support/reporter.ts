/** nomad-metrics in this process, with the clock going faster, between a scripted Nomad and a sink. */
import type { Test } from 'tap'
import { createComplaints } from '../../../src/metrics/complaints.ts'
import type { Mode } from '../../../src/metrics/explain-failure.ts'
import { startReporter, type ReporterOptions } from '../../../src/metrics/reporter.ts'
import { createSender, type StatsdTarget } from '../../../src/metrics/sender.ts'
import { createNomadReadings } from '../../../src/nomad/index.ts'
import { silentLog, systemClock, type Clock } from '../../../src/platform/index.ts'
import { startSink, type Sink } from './sink.ts'

export interface Reporting {
  sink: Sink
  /** What it complained about. */
  told: string[]
  exposition: () => string
  stop: () => Promise<void>
  ended: Promise<void>
}

export interface ReportingOptions extends Partial<ReporterOptions> {
  address: string
  token?: string
  target?: StatsdTarget
  clock?: Clock
}

/** Everything takes a twentieth of its time: polls come every half second, deadlines as early. */
export function fastClock(times = 20): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * times,
    after: (delayMs, run) => systemClock.after(delayMs / times, run),
  }
}

export async function startReporting(
  t: Test,
  modes: readonly Mode[],
  { address, token, target, clock = fastClock(), ...more }: ReportingOptions,
): Promise<Reporting> {
  const sink = await startSink(t)
  const told: string[] = []
  const complaints = createComplaints(clock, (line) => void told.push(line))
  const sender = createSender({
    target: target ?? { kind: 'udp', host: '127.0.0.1', port: sink.port },
    resolve: () => Promise.reject(new Error('no name is looked up here')),
    clock,
    onFault: (what) => complaints.tell('statsd', what),
  })
  const reporter = startReporter({
    modes,
    server: { states: 'derived', excludeParents: false, namespace: null },
    client: { extended: false, identity: false, iops: true, overcommit: false },
    tags: {},
    requireAllNamespaces: false,
    reporterMetrics: false,
    intervalMs: 10_000,
    openNomad: () => {
      const nomad = createNomadReadings({
        address,
        // As the program does; undici would be loaded while the fast clock runs.
        small: true,
        ...(token === undefined ? {} : { token }),
        clock,
        random: { number: () => 0.5, bytes: (size) => new Uint8Array(size) },
        log: silentLog,
      })
      return { acquire: () => Promise.resolve(nomad), close: () => nomad.close() }
    },
    sender,
    complaints,
    clock,
    ...more,
  })
  // A test looks at what it ended with; one that does not must not die of it.
  reporter.ended.catch(() => undefined)
  let stopping: Promise<void> | null = null
  const stop = () => (stopping ??= reporter.stop().catch(() => undefined))
  t.teardown(stop)
  return { sink, told, exposition: () => reporter.exposition(), stop, ended: reporter.ended }
}

export const SERVER_FAILED = 'circle.nomad.server_agent.poll_failure:1|g'
export const CLIENT_FAILED = 'circle.nomad.client_agent.poll_failure:1|g'
