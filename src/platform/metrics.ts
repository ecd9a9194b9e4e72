/**
 * Numbers about what happens, as a port: whoever has something to tell is given one of these.
 *
 * Names are those of the table in the metrics room, which refuses any other. Telling costs next to
 * nothing and never fails.
 */
export interface MetricSink {
  /** Something happened, so many times. */
  count(name: string, times?: number, tags?: MetricTags): void
  /** Something took so long, or was so large; in the unit that the table has for it. */
  measure(name: string, value: number, tags?: MetricTags): void
}

export type MetricTags = Readonly<Record<string, string>>

/** How something stands now: asked for, not told. */
export interface GaugeReading {
  name: string
  value: number
  tags?: MetricTags
}

/** For whoever does not want to know. */
export const noMetrics: MetricSink = { count: () => undefined, measure: () => undefined }
