/** Alerts: rules of Prometheus and monitors of Datadog. */
import { stringify } from 'yaml'
import { datadogNameOf, queriesOf, toDatadogQuery, toPromQl, type Asked, type Query } from './query.ts'

interface Alert {
  name: string
  /** What is wrong and where to look. */
  told: string
  asked: Asked
  above?: number
  below?: number
  /** How long it has to last, in minutes. */
  minutes: number
  severity: 'page' | 'ticket'
}

const CLASS = ['resource_class'] as const
/** The classes that ship: those up to the default one, and the larger ones. */
const ORDINARY = ['small', 'medium']
const EXPENSIVE = ['large', 'massive']

const waits = (classes: readonly string[]): Query => ({
  metric: 'circle.scheduler.queue.latency',
  as: 'p95',
  by: CLASS,
  where: { resource_class: classes },
})

const READY: Query = {
  metric: 'circle.fleet.nodes',
  as: 'sum',
  where: { drain: ['false'], status: ['ready'] },
  zeroUnless: 'circle.nomad.fleet.poll_failure',
}

const ALERTS: readonly Alert[] = [
  pollFails('Server', 'circle.nomad.server_agent.poll_failure', 'page'),
  pollFails('Client', 'circle.nomad.client_agent.poll_failure', 'ticket'),
  pollFails('Fleet', 'circle.nomad.fleet.poll_failure', 'page'),
  {
    name: 'OldestSliceWaits',
    told: 'A slice has waited for more than five minutes: no node has room for its class.',
    asked: { metric: 'circle.scheduler.queue.oldest_age', as: 'max', by: CLASS },
    above: 300,
    minutes: 1,
    severity: 'page',
  },
  {
    name: 'QueuePromiseBroken',
    told: 'More than one slice in twenty waited longer than promised: 1 s, or 10 s for expensive classes.',
    asked: {
      share: { metric: 'circle.scheduler.queue.exceeded', as: 'rate', by: CLASS },
      of: { metric: 'circle.scheduler.slices.started', as: 'rate', by: CLASS },
    },
    above: 0.05,
    minutes: 15,
    severity: 'ticket',
  },
  {
    name: 'OrdinaryClassQueues',
    told: 'One in twenty slices of an ordinary class waits longer than 1 s.',
    asked: waits(ORDINARY),
    above: 1,
    minutes: 15,
    severity: 'ticket',
  },
  {
    name: 'ExpensiveClassQueues',
    told: 'One in twenty slices of an expensive class waits longer than 10 s.',
    asked: waits(EXPENSIVE),
    above: 10,
    minutes: 15,
    severity: 'ticket',
  },
  {
    name: 'TooFewNodes',
    told: 'No node takes work. Set the number to the floor of your fleet.',
    asked: READY,
    below: 1,
    minutes: 5,
    severity: 'page',
  },
  overcommitted('Cpu', 'circle.nomad.client_agent.resources.overcommit.cpu'),
  overcommitted('Memory', 'circle.nomad.client_agent.resources.overcommit.memory'),
  {
    name: 'CaravanFaults',
    told: 'Something keeps builds from going on: /readyz of the server lists it.',
    asked: { metric: 'circle.scheduler.faults', as: 'max' },
    above: 0,
    minutes: 5,
    severity: 'page',
  },
  {
    name: 'FleetAlarm',
    told: 'The fleet can not do what it should: "caravan fleet status" says what stands in the way.',
    asked: { metric: 'circle.fleet.alarms', as: 'max', by: ['pool'] },
    above: 0,
    minutes: 5,
    severity: 'ticket',
  },
  {
    name: 'RaftContactSlow',
    told: 'The leader of Nomad hears late from its followers: look at disks and network of the servers.',
    asked: { metric: 'nomad.raft.leader.lastContact', as: 'max' },
    above: 200,
    minutes: 5,
    severity: 'page',
  },
]

const BLOCKED: Query = { metric: 'nomad.nomad.blocked_evals.total_blocked', as: 'max' }
const SILENT: Query = { metric: 'circle.nomad.server_agent.poll_failure', as: 'max' }
const SILENT_TOLD = 'Nothing came from nomad-metrics --server for two minutes.'
const STUCK_TOLD = 'Blocked evaluations rise and no node comes: the fleet does not grow.'

export function toPrometheusRules(): string {
  const rules = ALERTS.map((alert) => {
    const { name, told, asked, above, below, minutes, severity } = alert
    const limit = above === undefined ? `< ${below}` : `> ${above}`
    // What is counted over a time has lasted that time; a moment without starts would begin it anew.
    const lasting = isOverTime(asked) ? {} : { for: `${minutes}m` }
    return {
      alert: name,
      expr: `${toPromQl(asked, `${minutes}m`)} ${limit}`,
      ...lasting,
      labels: { severity },
      annotations: { summary: told },
    }
  })
  const silent = {
    alert: 'NomadMetricsSilent',
    expr: 'absent_over_time(circle_nomad_server_agent_poll_failure[2m])',
    labels: { severity: 'page' },
    annotations: { summary: SILENT_TOLD },
  }
  const grows = (query: Query) => `delta((${toPromQl(query, '5m')})[15m:1m])`
  const stuck = {
    alert: 'FleetDoesNotGrow',
    expr: `${grows(BLOCKED)} > 0 and on () ${grows(READY)} <= 0`,
    labels: { severity: 'page' },
    annotations: { summary: STUCK_TOLD },
  }
  const head =
    '# Rules for Prometheus. Written by `npm run dashboards`; the numbers are yours to change in a copy.\n'
  return (
    head +
    stringify({ groups: [{ name: 'caravan', rules: [...rules, silent, stuck] }] }, { lineWidth: 0 })
  )
}

export function toDatadogMonitors(): object[] {
  const monitors = ALERTS.map(({ name, told, asked, above, below, minutes, severity }) => {
    const limit = above ?? below ?? 0
    const sign = above === undefined ? '<' : '>'
    const options = { thresholds: { critical: limit } }
    return toMonitor(
      name,
      told,
      severity,
      `${overMinutes(asked, minutes)} ${sign} ${limit}`,
      options,
    )
  })
  const silent = `max(last_1m):${toDatadogQuery(SILENT)} > 1`
  const blocked = `change(avg(last_15m),last_15m):${toDatadogQuery(BLOCKED)} > 0`
  return [
    ...monitors,
    // Never above 1: it is there for the data that does not come.
    toMonitor('NomadMetricsSilent', SILENT_TOLD, 'page', silent, {
      thresholds: { critical: 1 },
      notify_no_data: true,
      no_data_timeframe: 2,
    }),
    // A monitor has one metric: whether nodes come meanwhile stands on the dashboard of the fleet.
    toMonitor('FleetDoesNotGrow', STUCK_TOLD, 'page', blocked, { thresholds: { critical: 0 } }),
  ]
}

function isOverTime(asked: Asked): boolean {
  return queriesOf(asked).some(({ as }) => as === 'rate' || as.startsWith('p'))
}

function overMinutes(asked: Asked, minutes: number): string {
  if ('share' in asked) {
    // Of a ratio both sides are added up first.
    const [part, whole] = [asked.share, asked.of].map(
      ({ metric, by = [] }) => `sum:${datadogNameOf(metric)}{*} by {${by.join(',')}}.as_count()`,
    )
    return `sum(last_${minutes}m):${part} / ${whole}`
  }
  if (asked.as.startsWith('p')) return `percentile(last_${minutes}m):${toDatadogQuery(asked)}`
  // All of the time, not once in it.
  const worst = asked.as === 'sum' ? 'max' : 'min'
  return `${worst}(last_${minutes}m):${toDatadogQuery(asked)}`
}

function toMonitor(
  name: string,
  message: string,
  severity: Alert['severity'],
  query: string,
  options: object,
): object {
  const tags = ['service:caravan', `severity:${severity}`]
  return { name: `Caravan: ${name}`, type: 'query alert', query, message, tags, options }
}

function pollFails(mode: string, metric: Query['metric'], severity: Alert['severity']): Alert {
  return {
    name: `Nomad${mode}PollFails`,
    told: `nomad-metrics --${mode.toLowerCase()} can not read Nomad: its stderr says why.`,
    asked: { metric, as: 'max' },
    above: 0,
    minutes: 1,
    severity,
  }
}

function overcommitted(what: string, metric: Query['metric']): Alert {
  return {
    name: `${what}Overcommitted`,
    told: `A node has given away more ${what.toLowerCase()} than it has: it shrank, or its reserve grew.`,
    asked: { metric, as: 'max' },
    above: 0,
    minutes: 10,
    severity: 'ticket',
  }
}
