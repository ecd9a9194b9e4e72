/**
 * What a task finds in its environment, and what `${...}` stands for in its job.
 *
 * @see Nomad documentation, "Runtime Environment Settings" and "Interpolation"
 */
import type { Allocation } from '../objects/allocation.ts'
import type { Task, TaskGroup } from '../objects/job.ts'
import type { Node } from '../objects/node.ts'
import { readNode } from '../scheduling/constraints.ts'
import { indexOf } from '../scheduling/reconciler.ts'
import type { TaskFolders } from './folders.ts'
import { TASK_CHAIN, toTaskMark } from './processes.ts'

export type Environment = Record<string, string>

/** Credentials of the client itself, which Nomad keeps from tasks by default. */
const DENIED: ReadonlySet<string> = new Set([
  'CONSUL_TOKEN',
  'CONSUL_HTTP_TOKEN',
  'CONSUL_HTTP_TOKEN_FILE',
  'VAULT_TOKEN',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'GOOGLE_APPLICATION_CREDENTIALS',
])

export interface EnvironmentInput {
  allocation: Allocation
  group: TaskGroup
  task: Task
  node: Node
  folders: TaskFolders
  /** Of the engine's own process, as Nomad's client passes its own on. */
  host: Readonly<Record<string, string | undefined>>
}

/** Weakest first: the host's, then Nomad's own, then the task's. */
export function buildEnvironment(input: EnvironmentInput): Environment {
  const environment: Environment = {}
  for (const [name, value] of Object.entries(input.host)) {
    // Another allocation's variables, when the engine itself runs inside one.
    const isForeign = name.startsWith('NOMAD_')
    if (value !== undefined && !isForeign && !DENIED.has(name)) environment[name] = value
  }
  Object.assign(environment, describeAllocation(input), describePorts(input.allocation))
  const mark = toTaskMark(input.allocation.ID, input.task.Name)
  environment[TASK_CHAIN] = [input.host[TASK_CHAIN], mark].filter(Boolean).join(' ')
  const lookup = (name: string) => environment[name] ?? readNode(input.node, name)
  Object.assign(environment, describeMeta(input, lookup))
  // In the order of their names: one can use another that stands before it.
  const own = input.task.Env ?? {}
  for (const name of Object.keys(own).sort()) {
    environment[name] = interpolate(own[name] ?? '', lookup)
  }
  return environment
}

/** Replaces what is known; anything else stays as it is. */
export function interpolate(text: string, lookup: (name: string) => string | undefined): string {
  if (!text.includes('${')) return text
  return text.replaceAll(/\$\{\s*([^}\s]+)\s*\}/g, (whole, name: string) => lookup(name) ?? whole)
}

export type Interpolated = { ok: true; value: unknown } | { ok: false; unknown: string }

/** In a driver's configuration everything must be known, and `${env.NAME}` works too. */
export function interpolateConfig(
  config: unknown,
  environment: Environment,
  node: Node,
): Interpolated {
  let unknown: string | null = null
  const lookup = (name: string) => {
    const plain = name.startsWith('env.') ? name.slice('env.'.length) : name
    const value = environment[plain] ?? readNode(node, name)
    if (value === undefined) unknown ??= name
    return value
  }
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return interpolate(value, lookup)
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, walk(each)]))
  }
  const value = walk(config)
  return unknown === null ? { ok: true, value } : { ok: false, unknown }
}

function describeAllocation({ allocation, group, task, node, folders }: EnvironmentInput) {
  const { MemoryMB, MemoryMaxMB, CPU } = task.Resources
  return {
    NOMAD_ALLOC_DIR: folders.shared,
    NOMAD_TASK_DIR: folders.local,
    NOMAD_SECRETS_DIR: folders.secrets,
    NOMAD_ALLOC_ID: allocation.ID,
    NOMAD_SHORT_ALLOC_ID: allocation.ID.slice(0, 8),
    NOMAD_ALLOC_NAME: allocation.Name,
    NOMAD_ALLOC_INDEX: String(indexOf(allocation.Name)),
    NOMAD_TASK_NAME: task.Name,
    NOMAD_GROUP_NAME: group.Name,
    NOMAD_JOB_ID: allocation.JobID,
    NOMAD_JOB_NAME: allocation.Job.Name,
    NOMAD_DC: node.Datacenter,
    NOMAD_NAMESPACE: allocation.Namespace,
    NOMAD_REGION: allocation.Job.Region,
    NOMAD_CPU_LIMIT: String(CPU),
    NOMAD_MEMORY_LIMIT: String(MemoryMB),
    ...(MemoryMaxMB > 0 ? { NOMAD_MEMORY_MAX_LIMIT: String(MemoryMaxMB) } : {}),
  }
}

/** The task's meta wins over the group's, which wins over the job's. */
function describeMeta(
  { allocation, group, task }: EnvironmentInput,
  lookup: (name: string) => string | undefined,
): Environment {
  const meta = { ...allocation.Job.Meta, ...group.Meta, ...task.Meta }
  const environment: Environment = {}
  for (const [key, value] of Object.entries(meta)) {
    const name = key.replaceAll(/[^A-Za-z0-9_]/g, '_')
    const resolved = interpolate(value, lookup)
    environment[`NOMAD_META_${name.toUpperCase()}`] = resolved
    environment[`NOMAD_META_${name}`] = resolved
  }
  return environment
}

function describePorts(allocation: Allocation): Environment {
  const environment: Environment = {}
  for (const { Label, Value, To, HostIP } of allocation.AllocatedResources.Shared.Ports ?? []) {
    const label = Label.replaceAll(/[^A-Za-z0-9_]/g, '_')
    Object.assign(environment, {
      [`NOMAD_IP_${label}`]: HostIP,
      [`NOMAD_PORT_${label}`]: String(To || Value),
      [`NOMAD_ADDR_${label}`]: `${HostIP}:${Value}`,
      [`NOMAD_ALLOC_PORT_${label}`]: String(To || Value),
      [`NOMAD_HOST_IP_${label}`]: HostIP,
      [`NOMAD_HOST_PORT_${label}`]: String(Value),
      [`NOMAD_HOST_ADDR_${label}`]: `${HostIP}:${Value}`,
    })
  }
  return environment
}
