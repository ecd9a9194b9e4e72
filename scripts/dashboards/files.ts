/** The files of `dashboards/` that are written from the table of metrics, by their path in it. */
import { toDatadogMonitors, toPrometheusRules } from './alerts.ts'
import { toDatadog } from './datadog.ts'
import { toExporterMapping } from './exporter.ts'
import { toGrafana } from './grafana.ts'
import { DASHBOARDS } from './panels.ts'

export function toFiles(): Map<string, string> {
  const toText = (value: object) => `${JSON.stringify(value, null, 2)}\n`
  return new Map([
    ...DASHBOARDS.flatMap((dashboard): [string, string][] => [
      [`datadog/${dashboard.slug}.json`, toText(toDatadog(dashboard))],
      [`grafana/${dashboard.slug}.json`, toText(toGrafana(dashboard))],
    ]),
    ['datadog/monitors.json', toText(toDatadogMonitors())],
    ['prometheus/rules.yaml', toPrometheusRules()],
    ['prometheus/statsd-exporter.yaml', toExporterMapping()],
  ])
}
