/**
 * Every metric there is, once: what documents, dashboards, alerts and receivers say is checked against
 * this table.
 *
 * Names that dashboards of such systems have used for years keep their names, with their hyphens.
 */
import type { MetricRow } from './metric-row.ts'
import { FLEET_METRICS } from './names-fleet.ts'
import { NOMAD_METRICS } from './names-nomad.ts'
import { RESERVED_METRICS } from './names-reserved.ts'
import { SERVER_METRICS } from './names-server.ts'

const ALL = { ...NOMAD_METRICS, ...SERVER_METRICS, ...FLEET_METRICS, ...RESERVED_METRICS }

export type MetricName = keyof typeof ALL

export const METRICS: Readonly<Record<MetricName, MetricRow>> = ALL

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name)
}

/** As it is called where dots can not be: `circle_run_queue_latency_seconds`, `..._total` for counts. */
export function toPrometheusName(name: MetricName): string {
  const base = name.replaceAll(/[.-]/g, '_')
  const { kind, unit } = METRICS[name]
  if (kind === 'count') return `${base}_total`
  const inSeconds = unit === 'seconds' || unit === 'milliseconds'
  return (kind === 'timer' || kind === 'distribution') && inSeconds ? `${base}_seconds` : base
}
