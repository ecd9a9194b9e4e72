/** What a panel or an alert asks for, and how the two query languages say it. */
import { METRICS, toPrometheusName, type MetricName } from '../../src/metrics/names.ts'

/** What Nomad's agents tell themselves, by its name in DogStatsD. */
export const NOMAD_TELEMETRY = [
  'nomad.nomad.blocked_evals.total_blocked',
  'nomad.nomad.broker.total_unacked',
  'nomad.nomad.plan.queue_depth',
  'nomad.raft.leader.lastContact',
] as const
export type NomadTelemetry = (typeof NOMAD_TELEMETRY)[number]

export interface Query {
  metric: MetricName | NomadTelemetry
  /** How series become one; a rate per second of counts, a quantile of distributions. */
  as: 'sum' | 'max' | 'min' | 'rate' | 'p50' | 'p95' | 'p99'
  by?: readonly string[]
  /** Texts that a tag has to have: one of them where there are several. */
  where?: Readonly<Record<string, readonly string[]>>
  /** A metric of failures: while it says 0, no series is none of them, and not unknown. */
  zeroUnless?: MetricName
}

/** One query, or the first in parts of the second. */
export type Asked = Query | { share: Query; of: Query }

export function queriesOf(asked: Asked): readonly Query[] {
  return 'share' in asked ? [asked.share, asked.of] : [asked]
}

/** @param window over which rates and quantiles are taken, such as `5m`. */
export function toPromQl(asked: Asked, window: string): string {
  if ('share' in asked) {
    const whole = queryOf(asked.of, window)
    // What was never counted yet is none, as long as there is a whole.
    const part = `(${queryOf(asked.share, window)} or 0 * ${whole})`
    return asked.share.as === 'rate'
      ? `${part} / ${whole}`
      : `${queryOf(asked.share, window)} / ${whole}`
  }
  const query = queryOf(asked, window)
  if (asked.zeroUnless === undefined) return query
  return `(${query} or 0 * max(${toPrometheusName(asked.zeroUnless)} == 0))`
}

function queryOf({ metric, as, by = [], where = {} }: Query, window: string): string {
  const { name, isQuantileOfSummary } = prometheusNameOf(metric)
  const labels = Object.entries(where).map(([key, values]) =>
    values.length === 1 ? `${key}="${values[0]}"` : `${key}=~"${values.join('|')}"`,
  )
  if (isQuantileOfSummary) labels.push(`quantile="0.99"`)
  const select = (suffix = '') => name + suffix + (labels.length > 0 ? `{${labels.join(',')}}` : '')
  const grouped = (keys: readonly string[]) => (keys.length > 0 ? ` by (${keys.join(', ')}) ` : '')
  if (as === 'rate') return `sum${grouped(by)}(rate(${select()}[${window}]))`
  const quantile = { p50: 0.5, p95: 0.95, p99: 0.99 }[as as string]
  if (quantile === undefined) return `${as}${grouped(by)}(${select()})`
  const rates = `sum${grouped(['le', ...by])}(rate(${select('_bucket')}[${window}]))`
  return `histogram_quantile(${quantile}, ${rates})`
}

function prometheusNameOf(metric: Query['metric']): { name: string; isQuantileOfSummary: boolean } {
  if (isOwn(metric)) return { name: toPrometheusName(metric), isQuantileOfSummary: false }
  // Timers of Nomad's are summaries.
  const isTimer = metric === 'nomad.raft.leader.lastContact'
  return { name: metric.replaceAll('.', '_'), isQuantileOfSummary: isTimer }
}

/** As a dashboard of Datadog has it; counts are per second there, too. */
export function toDatadogQuery(query: Query): string {
  const plain = datadogQueryOf(query)
  return query.zeroUnless === undefined ? plain : `default_zero(${plain})`
}

function datadogQueryOf({ metric, as, by = [], where = {} }: Query): string {
  const filters = Object.entries(where).map(([key, values]) =>
    values.length === 1 ? `${key}:${values[0]}` : `${key} IN (${values.join(',')})`,
  )
  // Filters with words in them are joined by words.
  const joint = filters.some((filter) => filter.includes(' IN ')) ? ' AND ' : ','
  const scope = `{${filters.join(joint) || '*'}}${by.length > 0 ? ` by {${by.join(',')}}` : ''}`
  const name = datadogNameOf(metric)
  return as === 'rate' ? `sum:${name}${scope}.as_rate()` : `${as}:${name}${scope}`
}

/** Datadog turns what it does not have in names into underscores. */
export function datadogNameOf(metric: Query['metric']): string {
  if (metric === 'nomad.raft.leader.lastContact') return `${metric}.95percentile`
  return metric.replaceAll('-', '_')
}

export function isOwn(metric: string): metric is MetricName {
  return Object.hasOwn(METRICS, metric)
}
