/** The gauges that operators forward, under the names that Nomad gives them. */
import type { Core } from './operations/jobs.ts'
import type { Node } from './objects/node.ts'
import { summarizeJob } from './state/summary.ts'
import { toTimestamp } from './objects/values.ts'

export interface MetricsDeps extends Core {
  hostName: string
  broker: { counts(): { ready: number; waiting: number } }
}

interface Gauge {
  Name: string
  Value: number
  Labels: Record<string, string>
}

export function toMetrics(deps: MetricsDeps) {
  const nodes = [...deps.state.tables.node.rows.values()]
  const Gauges = [
    ...gaugesOfServer(deps),
    ...gaugesOfJobs(deps),
    ...nodes.flatMap((node) => gaugesOfNode(deps, node)),
  ]
  const Timestamp = toTimestamp(deps.clock.now())
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' +0000 UTC')
  return { Timestamp, Gauges, Points: [], Counters: [], Samples: [] }
}

function gaugesOfServer({ state, hostName, broker }: MetricsDeps): Gauge[] {
  const Labels = { host: hostName }
  const statuses = { pending: 0, running: 0, dead: 0 }
  for (const job of state.tables.job.rows.values()) statuses[job.Status]++
  const { ready, waiting } = broker.counts()
  const ready_nodes = [...state.tables.node.rows.values()].filter((node) => node.Status === 'ready')
  const values: Record<string, number> = {
    'job_status.pending': statuses.pending,
    'job_status.running': statuses.running,
    'job_status.dead': statuses.dead,
    'broker.total_ready': ready,
    'broker.total_waiting': waiting,
    'broker.total_unacked': 0,
    'broker.total_pending': 0,
    'broker.total_cancelable': 0,
    'blocked_evals.total_blocked': state.indexes.blocked.size,
    'blocked_evals.total_escaped': 0,
    'blocked_evals.total_quota_limit': 0,
    'plan.queue_depth': 0,
    'heartbeat.active': ready_nodes.length,
  }
  return Object.entries(values).map(([name, Value]) => ({
    Name: `nomad.nomad.${name}`,
    Value,
    Labels,
  }))
}

function gaugesOfJobs({ state, hostName }: MetricsDeps): Gauge[] {
  return [...state.tables.job.rows.values()].flatMap((job) =>
    Object.entries(summarizeJob(state, job).Summary).flatMap(([group, counts]) =>
      Object.entries(counts).map(([column, Value]) => ({
        Name: `nomad.nomad.job_summary.${column.toLowerCase()}`,
        Value,
        Labels: { host: hostName, job: job.ID, namespace: job.Namespace, task_group: group },
      })),
    ),
  )
}

function gaugesOfNode({ state, hostName }: MetricsDeps, node: Node): Gauge[] {
  const used = state.indexes.ofNode(node.ID)
  const { Cpu, Memory, Disk } = node.NodeResources
  const counts = { running: 0, pending: 0, terminal: 0 }
  for (const id of used.allocations) {
    const status = state.tables.allocation.get(id)?.ClientStatus
    if (status === 'running' || status === 'pending') counts[status]++
    else counts.terminal++
  }
  const values: Record<string, number> = {
    'allocated.cpu': used.cpuMhz,
    'allocated.memory': used.memoryMiB,
    'allocated.disk': used.diskMiB,
    'unallocated.cpu': Cpu.CpuShares - used.cpuMhz,
    'unallocated.memory': Memory.MemoryMB - used.memoryMiB,
    'unallocated.disk': Disk.DiskMB - used.diskMiB,
    'allocations.running': counts.running,
    'allocations.pending': counts.pending,
    'allocations.terminal': counts.terminal,
    'allocations.blocked': 0,
    'allocations.migrating': 0,
  }
  const Labels = {
    host: hostName,
    node_id: node.ID,
    datacenter: node.Datacenter,
    node_class: node.NodeClass,
    node_pool: node.NodePool,
    node_status: node.Status,
    node_scheduling_eligibility: node.SchedulingEligibility,
  }
  return Object.entries(values).map(([name, Value]) => ({
    Name: `nomad.client.${name}`,
    Value,
    Labels,
  }))
}
