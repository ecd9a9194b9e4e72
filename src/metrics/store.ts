/**
 * What this process has to tell, gathered: added up for whoever reads it, and as lines for whoever it is
 * sent to.
 */
import type { MetricSink, MetricTags } from '../platform/index.ts'
import { formatMetric, formatTags, type Metric } from './format.ts'
import type { MetricRow } from './metric-row.ts'
import { isMetricName, METRICS, type MetricName } from './names.ts'
import type { Series } from './prometheus.ts'

export interface MetricStore extends MetricSink {
  /** Everything since the start. */
  series(): Series[]
  /** What came since it was asked last, as lines. */
  takeLines(): string[]
  /** What was not taken: unknown names, and more than there is room for. */
  readonly refused: number
}

/** Upper bounds in seconds: from an answer of the API to the longest slice. */
const SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 10_800]
/** And in bytes: from a line to the largest output. */
const BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]

/** Tags come from lists that are closed; more than this says that one of them is not. */
const SERIES_MAX = 2000
/** Between two sends, ten seconds apart. A receiver that is sent more loses it anyway. */
const LINES_MAX = 5000

const TYPES = { gauge: 'g', count: 'c', timer: 'ms', distribution: 'd' } as const

interface Counter {
  name: MetricName
  tags: MetricTags
  total: number
  /** Not sent yet. */
  news: number
}

interface Spread {
  name: MetricName
  tags: MetricTags
  bounds: readonly number[]
  counts: number[]
  sum: number
}

/** @param own tags of everything. */
export function createMetricStore(own: MetricTags = {}): MetricStore {
  const counters = new Map<string, Counter>()
  const spreads = new Map<string, Spread>()
  let lines: string[] = []
  let refused = 0

  const find = <T>(all: Map<string, T>, key: string, create: () => T): T | null => {
    const known = all.get(key)
    if (known !== undefined) return known
    if (all.size >= SERIES_MAX) return null
    const fresh = create()
    all.set(key, fresh)
    return fresh
  }

  const push = (metric: Metric): void => {
    const line = formatMetric(metric)
    if (line === null || lines.length >= LINES_MAX) refused += 1
    else lines.push(line)
  }

  return {
    count(name, times = 1, more = {}) {
      const tags = { ...own, ...more }
      if (!fits(name, ['count'], more) || !(times >= 0)) return void (refused += 1)
      const key = toKey(name, tags)
      const counter = find(counters, key, () => ({ name, tags, total: 0, news: 0 }))
      if (counter === null) return void (refused += 1)
      counter.total += times
      counter.news += times
    },
    measure(name, value, more = {}) {
      const tags = { ...own, ...more }
      if (!fits(name, ['timer', 'distribution'], more) || !(value >= 0)) {
        return void (refused += 1)
      }
      const { kind, unit } = METRICS[name]
      const spread = find(spreads, toKey(name, tags), () => aSpread(name, tags, unit))
      if (spread === null) return void (refused += 1)
      add(spread, unit === 'milliseconds' ? value / 1000 : value)
      push({ name, type: TYPES[kind], value, tags })
    },
    series: () => [
      ...[...counters.values()].map(({ name, tags, total }) => ({ name, tags, value: total })),
      ...[...spreads.values()].map(({ name, tags, bounds, counts, sum }) => {
        return { name, tags, value: { bounds, counts, sum } }
      }),
    ],
    takeLines() {
      for (const counter of counters.values()) {
        if (counter.news > 0) {
          push({ name: counter.name, type: 'c', value: counter.news, tags: counter.tags })
        }
        counter.news = 0
      }
      const taken = lines
      lines = []
      return taken
    },
    get refused() {
      return refused
    },
  }
}

/** Upper bounds of the histograms of a timer or distribution. */
export function boundsOf(unit: MetricRow['unit']): readonly number[] {
  return unit === 'bytes' ? BYTES : SECONDS
}

/** Whether the table has it so: a name that it does not have would reach nobody's dashboard. */
function fits(
  name: string,
  kinds: readonly MetricRow['kind'][],
  tags: MetricTags,
): name is MetricName {
  if (!isMetricName(name)) return false
  const { kind, tags: known } = METRICS[name]
  return kinds.includes(kind) && Object.keys(tags).every((key) => known.includes(key))
}

function toKey(name: string, tags: MetricTags): string {
  return [name, ...formatTags(tags)].join()
}

function aSpread(name: MetricName, tags: MetricTags, unit: MetricRow['unit']): Spread {
  const bounds = boundsOf(unit)
  return { name, tags, bounds, counts: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 }
}

/** Each bound counts all that lies at or below it. */
function add(spread: Spread, value: number): void {
  spread.sum += value
  const { bounds, counts } = spread
  for (let at = counts.length - 1; at >= 0; at--) {
    if (at < bounds.length && value > (bounds[at] ?? Infinity)) break
    counts[at] = (counts[at] ?? 0) + 1
  }
}
