/** Gauges, counts and distributions as Prometheus reads them. */
import { formatTags, type Tags } from './format.ts'
import type { Gauge } from './gauge.ts'
import { METRICS, toPrometheusName, type MetricName } from './names.ts'

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface Series {
  name: MetricName
  tags: Tags
  /** Of a distribution or timer, by the upper bounds of BUCKETS_S; a number otherwise. */
  value: number | Histogram
}

export interface Histogram {
  /** Upper bounds, rising. */
  bounds: readonly number[]
  /** How many values lie at or below each bound, and one more for all. */
  counts: readonly number[]
  sum: number
}

export function toExposition(gauges: readonly (Gauge | Series)[]): string {
  const families = new Map<MetricName, (Gauge | Series)[]>()
  for (const gauge of gauges) {
    families.set(gauge.name, [...(families.get(gauge.name) ?? []), gauge])
  }
  return [...families].map(([name, series]) => toFamily(name, series)).join('')
}

function toFamily(name: MetricName, series: readonly (Gauge | Series)[]): string {
  const { meaning, kind } = METRICS[name]
  const family = toPrometheusName(name)
  const type = kind === 'gauge' ? 'gauge' : kind === 'count' ? 'counter' : 'histogram'
  // Two senders of one process may tell the same: the last one stands.
  const lines = new Map<string, string>()
  for (const { tags, value } of series) {
    const labels = toLabels(tags)
    lines.set(labels.join(), toSamples(family, labels, value))
  }
  const help = meaning.replaceAll('\\', String.raw`\\`).replaceAll('\n', ' ')
  return `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n${[...lines.values()].join('')}`
}

function toSamples(family: string, labels: string[], value: number | Histogram): string {
  if (typeof value === 'number') return toSample(family, labels, value)
  const { bounds, counts, sum } = value
  const total = counts.at(-1) ?? 0
  const buckets = [...bounds, Infinity].map((bound, at) => {
    const le = `le="${bound === Infinity ? '+Inf' : bound}"`
    return toSample(`${family}_bucket`, [...labels, le], counts[at] ?? 0)
  })
  return [
    ...buckets,
    toSample(`${family}_sum`, labels, sum),
    toSample(`${family}_count`, labels, total),
  ].join('')
}

function toSample(name: string, labels: readonly string[], value: number): string {
  return `${name}${labels.length === 0 ? '' : `{${labels.join(',')}}`} ${value}\n`
}

function toLabels(tags: Tags): string[] {
  return formatTags(tags).map((tag) => {
    const colon = tag.indexOf(':')
    const value = tag.slice(colon + 1).replaceAll(/[\\"]/g, String.raw`\$&`)
    return `${tag.slice(0, colon)}="${value}"`
  })
}
