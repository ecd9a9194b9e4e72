/**
 * Every metric there is, once: what documents, dashboards, alerts and receivers say is checked against
 * this table.
 *
 * Names that dashboards of such systems have used for years keep their names, with their hyphens.
 */
import { FLEET_METRICS } from './names-fleet.ts'
import { NOMAD_METRICS } from './names-nomad.ts'
import { RESERVED_METRICS } from './names-reserved.ts'
import { SERVER_METRICS } from './names-server.ts'

export interface MetricRow {
  kind: 'gauge' | 'count' | 'timer' | 'distribution'
  /** What the number counts. Timers are sent in milliseconds and read in seconds by Prometheus. */
  unit:
    | 'jobs'
    | 'slices'
    | 'builds'
    | 'nodes'
    | 'MHz'
    | 'MB'
    | 'bytes'
    | 'seconds'
    | 'milliseconds'
    | 'ratio'
    | 'operations'
    | '0 or 1'
    | 'events'
  /** All that a series of it can have. */
  tags: readonly string[]
  meaning: string
  /** Who sends it; `reserved`: nobody yet, and the name is taken. */
  by: 'nomad-metrics' | 'server' | 'fleet' | 'reserved'
}

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
