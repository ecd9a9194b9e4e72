/** A row of the table of metrics. */

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

/** Makes the rows of what one program sends. */
export function rowsBy(by: MetricRow['by']) {
  return (
    kind: MetricRow['kind'],
    unit: MetricRow['unit'],
    meaning: string,
    tags: readonly string[] = [],
  ): MetricRow => ({ kind, unit, meaning, tags, by })
}
