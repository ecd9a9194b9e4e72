/** Metrics as lines: name, value, values of the tags. */
import type { MetricSink } from '../../../src/platform/index.ts'

/** @param wanted names that are kept. */
export function gatherMetrics(wanted = /./): { sink: MetricSink; lines: string[] } {
  const lines: string[] = []
  const write = (name: string, value: number, tags = {}) => {
    if (wanted.test(name)) lines.push([name, value, ...Object.values(tags)].join(' '))
  }
  return {
    lines,
    sink: { count: (name, times = 1, tags = {}) => write(name, times, tags), measure: write },
  }
}
