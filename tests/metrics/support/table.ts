/** The table of metrics as the guide shows it. */
import { METRICS, type MetricName } from '../../../src/metrics/names.ts'

export function toTable(): string {
  const rows = (Object.keys(METRICS) as MetricName[]).map((name) => {
    const { kind, unit, tags, meaning, by } = METRICS[name]
    const shown = tags.map((tag) => `\`${tag}\``).join(' ')
    return `| \`${name}\` | ${kind} | ${unit} | ${shown} | ${by} | ${meaning} |`
  })
  return [
    '| name | kind | unit | tags | sent by | meaning |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}
