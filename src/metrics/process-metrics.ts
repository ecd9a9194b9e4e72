/** The metrics of a process of ours: sent every ten seconds, and read when somebody asks. */
import type { Clock, GaugeReading, Log, MetricSink, MetricTags } from '../platform/index.ts'
import type { Gauge } from './gauge.ts'
import { toLines } from './gauge.ts'
import { isMetricName } from './names.ts'
import { toExposition } from './prometheus.ts'
import type { Sender } from './sender.ts'
import { createMetricStore } from './store.ts'
import { runTicks } from './ticks.ts'

export interface ProcessMetrics {
  readonly sink: MetricSink
  /** Begins to send, when there is somebody to send to. */
  start(gauges: () => Promise<readonly GaugeReading[]>): void
  /** What Prometheus reads. */
  exposition(): Promise<string>
  /** Sends what there is left. */
  close(): Promise<void>
}

/** As often as the Datadog Agent sums up. */
const INTERVAL_MS = 10_000

export function createProcessMetrics(options: {
  tags: MetricTags
  /** Null when nobody wants them sent. */
  sender: Sender | null
  clock: Clock
  log: Log
}): ProcessMetrics {
  const { tags, sender, clock, log } = options
  const store = createMetricStore(tags)
  const stopping = new AbortController()
  let readAll: () => Promise<readonly GaugeReading[]> = () => Promise.resolve([])
  let running: Promise<void> | null = null

  const readGauges = async (): Promise<Gauge[]> => {
    try {
      return (await readAll()).flatMap((reading) => toGauge(reading, tags) ?? [])
    } catch (cause) {
      log.warn('gauges could not be read', { cause })
      return []
    }
  }
  const send = async (): Promise<void> => {
    const gauges = await readGauges()
    // Emptied either way: what nobody takes must not gather.
    const lines = store.takeLines()
    await sender?.send([...toLines(gauges), ...lines])
  }

  return {
    sink: store,
    start(gauges) {
      readAll = gauges
      running ??= runTicks({ intervalMs: INTERVAL_MS, clock, signal: stopping.signal, run: send })
    },
    exposition: async () => toExposition([...(await readGauges()), ...store.series()]),
    async close() {
      stopping.abort()
      await running
      await sender?.send(store.takeLines())
      await sender?.close()
    },
  }
}

function toGauge({ name, value, tags }: GaugeReading, own: MetricTags): Gauge | null {
  return isMetricName(name) ? { name, value, tags: { ...own, ...tags } } : null
}
