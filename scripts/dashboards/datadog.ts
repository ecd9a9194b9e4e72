/** Dashboards as Datadog's API takes them. */
import type { Dashboard, Panel } from './panel.ts'
import { queriesOf, toDatadogQuery, type Asked } from './query.ts'

export function toDatadog({ title, panels }: Dashboard): object {
  return {
    title,
    description: 'Written by `npm run dashboards` of Caravan.',
    layout_type: 'ordered',
    template_variables: [],
    widgets: panels.map((panel) => ({ definition: toTimeseries(panel) })),
  }
}

function toTimeseries({ title, lines, stacked, limit }: Panel): object {
  return {
    type: 'timeseries',
    title,
    show_legend: true,
    requests: Object.entries(lines).map(([name, asked]) => ({
      response_format: 'timeseries',
      display_type: stacked ? 'area' : 'line',
      queries: queriesOf(asked).map((query, index) => ({
        data_source: 'metrics',
        name: `query${index}`,
        query: toDatadogQuery(query),
      })),
      formulas: [{ alias: name, formula: toFormula(asked) }],
    })),
    ...(limit === undefined
      ? {}
      : { markers: [{ value: `y = ${limit}`, display_type: 'error dashed' }] }),
    yaxis: { min: '0' },
  }
}

function toFormula(asked: Asked): string {
  if (!('share' in asked)) return 'query0'
  // A count that is not sent while it is none.
  return asked.share.as === 'rate' ? 'default_zero(query0) / query1' : 'query0 / query1'
}
