/** The mapping of statsd_exporter: what it tells Prometheus has the names that `/metrics` has. */
import { stringify } from 'yaml'
import { METRICS, toPrometheusName, type MetricName } from '../../src/metrics/names.ts'
import { boundsOf } from '../../src/metrics/store.ts'

/** Six sets of gauges: fewer, and one that is late would look like one that is gone. */
const GAUGE_TTL = '60s'

const HEAD = `# statsd_exporter, tried with 0.31: statsd_exporter --statsd.mapping-config=statsd-exporter.yaml
#
# Gauges that nobody sends any more are gone after ${GAUGE_TTL}. Without that a node whose status has changed
# would be counted under both, for ever. Counts and histograms stay: one that went away and came back would
# hide what it counted.
#
# Written by \`npm run dashboards\` from the table of metrics.
`

export function toExporterMapping(): string {
  const mappings = (Object.keys(METRICS) as MetricName[]).map((name) => {
    const { kind, unit, meaning } = METRICS[name]
    const own = { match: name, name: toPrometheusName(name), help: meaning }
    if (kind === 'gauge') return { ...own, ttl: GAUGE_TTL }
    if (kind === 'count') return own
    return {
      ...own,
      observer_type: 'histogram',
      histogram_options: { buckets: boundsOf(unit) },
    }
  })
  // Such as what Nomad's own agents send: their tags change with their nodes, too.
  const others = {
    match: '(.+)',
    match_type: 'regex',
    match_metric_type: 'gauge',
    name: '$1',
    ttl: GAUGE_TTL,
  }
  return HEAD + stringify({ mappings: [...mappings, others] }, { lineWidth: 0 })
}
