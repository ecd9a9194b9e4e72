/** One reading on its way out. */
import type { Tags } from './format.ts'
import { formatMetric } from './format.ts'
import type { MetricName } from './names.ts'

export interface Gauge {
  name: MetricName
  value: number
  tags: Tags
}

/** Readings that can not be sent are left out. */
export function toLines(gauges: readonly Gauge[]): string[] {
  return gauges.flatMap(
    ({ name, value, tags }) => formatMetric({ name, type: 'g', value, tags }) ?? [],
  )
}
