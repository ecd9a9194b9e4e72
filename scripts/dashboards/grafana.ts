/** Dashboards as Grafana imports them: the classic model, which all versions take. */
import type { Dashboard, Panel } from './panel.ts'
import { queriesOf, toPromQl, type Asked } from './query.ts'

const SOURCE = { type: 'prometheus', uid: '${datasource}' }
const COLUMNS = 3
const WIDTH = 24 / COLUMNS
const HEIGHT = 8

export function toGrafana({ slug, title, panels }: Dashboard): object {
  return {
    __requires: [
      { type: 'grafana', id: 'grafana', name: 'Grafana', version: '9.0.0' },
      { type: 'datasource', id: 'prometheus', name: 'Prometheus', version: '1.0.0' },
      { type: 'panel', id: 'timeseries', name: 'Time series', version: '' },
    ],
    id: null,
    uid: `caravan-${slug}`,
    title,
    tags: ['caravan'],
    schemaVersion: 40,
    version: 1,
    editable: true,
    graphTooltip: 1,
    time: { from: 'now-3h', to: 'now' },
    refresh: '30s',
    templating: {
      list: [{ name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' }],
    },
    annotations: { list: [] },
    panels: panels.map(toPanel),
  }
}

function toPanel({ title, why, unit, lines, stacked, limit }: Panel, at: number): object {
  const x = (at % COLUMNS) * WIDTH
  const y = Math.floor(at / COLUMNS) * HEIGHT
  const steps = [{ color: 'green', value: null }]
  return {
    id: at + 1,
    type: 'timeseries',
    title,
    description: why,
    datasource: SOURCE,
    gridPos: { x, y, w: WIDTH, h: HEIGHT },
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        custom: {
          fillOpacity: stacked ? 20 : 0,
          stacking: { mode: stacked ? 'normal' : 'none' },
          thresholdsStyle: { mode: limit === undefined ? 'off' : 'line' },
        },
        thresholds: {
          mode: 'absolute',
          steps: limit === undefined ? steps : [...steps, { color: 'red', value: limit }],
        },
      },
      overrides: [],
    },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
    targets: Object.entries(lines).map(([name, asked], index) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + index),
      datasource: SOURCE,
      expr: toPromQl(asked, '$__rate_interval'),
      legendFormat: toLegend(name, asked),
    })),
  }
}

function toLegend(name: string, asked: Asked): string {
  const keys = queriesOf(asked)[0]?.by ?? []
  return [name, ...keys.map((key) => `{{${key}}}`)].join(' ')
}
