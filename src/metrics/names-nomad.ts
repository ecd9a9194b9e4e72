/** What nomad-metrics sends. The first eighteen are those of the program that it takes the place of. */
import { rowsBy, type MetricRow } from './metric-row.ts'

const NODE = ['drain', 'status', 'eligibility', 'node', 'node_class', 'node_pool'] as const

const of = rowsBy('nomad-metrics')

const failure = (mode: string) =>
  of('gauge', '0 or 1', `1 when the last poll for ${mode} failed, else 0`)
const jobs = (meaning: string) => of('gauge', 'jobs', meaning)
const node = (unit: MetricRow['unit'], meaning: string) => of('gauge', unit, meaning, NODE)

export const NOMAD_METRICS = {
  'circle.nomad.server_agent.poll_failure': failure('--server'),
  'circle.nomad.server_agent.jobs.pending': jobs('jobs of the cluster that wait for a place'),
  'circle.nomad.server_agent.jobs.running': jobs('jobs of the cluster that run'),
  'circle.nomad.server_agent.jobs.complete': jobs(
    'jobs whose allocations all completed; grows until Nomad collects them',
  ),
  'circle.nomad.server_agent.jobs.dead': jobs(
    'jobs that ended in any other way; grows until Nomad collects them',
  ),
  'circle.nomad.client_agent.poll_failure': failure('--client'),
  'circle.nomad.client_agent.resources.total.cpu': node('MHz', 'what the node has'),
  'circle.nomad.client_agent.resources.used.cpu': node('MHz', 'what allocations hold'),
  'circle.nomad.client_agent.resources.available.cpu': node('MHz', 'what is left to give'),
  'circle.nomad.client_agent.resources.total.memory': node('MB', 'what the node has'),
  'circle.nomad.client_agent.resources.used.memory': node('MB', 'what allocations hold'),
  'circle.nomad.client_agent.resources.available.memory': node('MB', 'what is left to give'),
  'circle.nomad.client_agent.resources.total.disk': node('MB', 'what the node has'),
  'circle.nomad.client_agent.resources.used.disk': node('MB', 'what allocations hold'),
  'circle.nomad.client_agent.resources.available.disk': node('MB', 'what is left to give'),
  'circle.nomad.client_agent.resources.total.iops': node(
    'operations',
    '0: Nomad has not counted them since 0.9',
  ),
  'circle.nomad.client_agent.resources.used.iops': node('operations', '0, as above'),
  'circle.nomad.client_agent.resources.available.iops': node('operations', '0, as above'),
  'circle.nomad.client_agent.resources.overcommit.cpu': node(
    'MHz',
    'what was given beyond what there is; with --overcommit',
  ),
  'circle.nomad.client_agent.resources.overcommit.memory': node('MB', 'the same of memory'),
  'circle.nomad.client_agent.resources.overcommit.disk': node('MB', 'the same of disk'),
  'circle.nomad.fleet.poll_failure': failure('--fleet'),
  'circle.fleet.nodes': of('gauge', 'nodes', 'nodes of the cluster; with --fleet', [
    'drain',
    'status',
    'node_class',
  ]),
  'circle.reporter.poll.duration': of(
    'gauge',
    'seconds',
    'how long the last poll took; with --reporter-metrics, as what follows',
    ['mode'],
  ),
  'circle.reporter.polls.skipped': of(
    'gauge',
    'events',
    'polls left out since the start, since one took too long',
    ['mode'],
  ),
  'circle.reporter.datagrams.sent': of('gauge', 'events', 'datagrams sent since the start'),
  'circle.reporter.bytes.sent': of('gauge', 'bytes', 'bytes sent since the start'),
  'circle.reporter.lines.dropped': of(
    'gauge',
    'events',
    'lines that could not be sent since the start',
  ),
} as const satisfies Record<string, MetricRow>
