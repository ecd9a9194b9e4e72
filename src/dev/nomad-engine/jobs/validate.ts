/**
 * What is wrong with a job, in Nomad's words; and what this engine does not do, in its own.
 *
 * A feature that would change what runs is refused rather than ignored: a build that passes here and
 * fails on a real cluster would cost more than the refusal.
 */
import { isOperand } from '../scheduling/constraints.ts'
import type { Constraint, Task, TaskGroup } from '../objects/job.ts'
import type { CompleteJob } from './defaults.ts'

const TYPES = ['batch', 'service', 'system', 'sysbatch']
const PRIORITY_MAX = 100
const CPU_MIN = 1
const MEMORY_MIN_MB = 10
/** Nomad refuses a job whose groups ask for more allocations than this in all. */
const COUNT_MAX = 50_000

export const DRIVERS = ['raw_exec', 'mock_driver'] as const

/** @returns one line per fault, none when the job can be registered. */
export function checkJob(job: CompleteJob): string[] {
  const faults: string[] = []
  if (job.ID.includes(' ')) faults.push('Job ID contains a space')
  if (job.ID.includes('\0')) faults.push('Job ID contains a null character')
  if (!TYPES.includes(job.Type)) faults.push(`Invalid job type: "${job.Type}"`)
  if (job.TaskGroups.length === 0) faults.push('Missing job task groups')
  faults.push(...checkConstraints(job.Constraints), ...checkNames(job.TaskGroups))
  for (const group of job.TaskGroups) {
    const inner = checkGroup(group, job.Type)
    if (inner.length > 0) {
      faults.push(`Task group ${group.Name} validation failed: ${toMultiError(inner)}`)
    }
  }
  const count = job.TaskGroups.reduce((total, group) => total + group.Count, 0)
  if (count > COUNT_MAX) faults.push(`job count is ${count}, more than ${COUNT_MAX}`)
  if (job.Priority < 1 || job.Priority > PRIORITY_MAX) {
    faults.push(`job priority must be between [1, ${PRIORITY_MAX}]`)
  }
  return [
    ...faults,
    ...refuse(job, {
      Multiregion: 'multiregion',
      Periodic: 'periodic',
      ParameterizedJob: 'parameterized',
    }),
  ]
}

/** The layout in which Nomad prints several faults at once. */
export function toMultiError(faults: readonly string[]): string {
  const head = faults.length === 1 ? '1 error occurred' : `${faults.length} errors occurred`
  return `${head}:\n${faults.map((fault) => `\t* ${fault}\n`).join('')}\n`
}

function checkNames(groups: readonly TaskGroup[]): string[] {
  const seen = new Map<string, number>()
  return groups.flatMap((group, index) => {
    if (group.Name === '') return [`Job task group ${index + 1} missing name`]
    const first = seen.get(group.Name)
    if (first !== undefined) {
      return [`Job task group ${index + 1} redefines '${group.Name}' from group ${first}`]
    }
    seen.set(group.Name, index + 1)
    return []
  })
}

function checkGroup(group: TaskGroup, type: string): string[] {
  const faults: string[] = []
  if (group.Name === '') faults.push('Missing task group name')
  if (group.Count < 0) faults.push("Task group count can't be negative")
  if (group.Tasks.length === 0) faults.push('Missing tasks for task group')
  if (group.Tasks.filter((task) => task.Leader).length > 1) {
    faults.push('Only one task may be marked as leader')
  }
  if (group.MaxRunDuration !== null) {
    if (type !== 'batch' && type !== 'sysbatch') {
      faults.push('max_run_duration is only valid for batch and sysbatch jobs')
    } else if (group.MaxRunDuration <= 0) {
      faults.push('max_run_duration must be greater than zero')
    }
  }
  faults.push(...checkConstraints(group.Constraints), ...checkNetworks(group))
  faults.push(...refuse(group, { Services: 'service', Volumes: 'volume', Consul: 'consul' }))
  const names = group.Tasks.map((task) => task.Name)
  for (const [index, task] of group.Tasks.entries()) {
    if (task.Name !== '' && names.indexOf(task.Name) < index) {
      faults.push(
        `Task ${index + 1} redefines '${task.Name}' from task ${names.indexOf(task.Name) + 1}`,
      )
    }
    const inner = checkTask(task)
    if (inner.length > 0) faults.push(`Task ${task.Name} validation failed: ${toMultiError(inner)}`)
  }
  return faults
}

function checkTask(task: Task): string[] {
  const faults: string[] = []
  if (task.Name === '') faults.push('Missing task name')
  if (/[/\\\0]/.test(task.Name)) faults.push('Task name cannot include slashes or null characters')
  if (task.Driver === '') faults.push('Missing task driver')
  const { CPU, MemoryMB, Cores } = task.Resources
  if (CPU < CPU_MIN) faults.push(`minimum CPU value is ${CPU_MIN}; got ${CPU}`)
  if (MemoryMB < MEMORY_MIN_MB) {
    faults.push(`minimum MemoryMB value is ${MEMORY_MIN_MB}; got ${MemoryMB}`)
  }
  if (task.KillTimeout < 0) faults.push('KillTimeout must be a positive value')
  if (Cores > 0) faults.push(toRefusal('resources.cores'))
  if (task.User !== '') faults.push(toRefusal('user, its tasks run as its own user'))
  faults.push(...checkConstraints(task.Constraints))
  return [
    ...faults,
    ...refuse(task, {
      Artifacts: 'artifact',
      Templates: 'template',
      Vault: 'vault',
      Consul: 'consul',
      Services: 'service',
      Lifecycle: 'lifecycle',
      DispatchPayload: 'dispatch_payload',
      VolumeMounts: 'volume_mount',
      CSIPluginConfig: 'csi_plugin',
      Secrets: 'secret',
      Schedule: 'schedule',
    }),
    ...refuse(task.Resources, { Devices: 'resources.device', NUMA: 'resources.numa' }),
  ]
}

function checkConstraints(constraints: readonly Constraint[] | null): string[] {
  return (constraints ?? []).flatMap(({ Operand, LTarget, RTarget }) => {
    if (Operand === '' && LTarget === '' && RTarget === '') return ['Missing constraint operand']
    if (Operand === 'distinct_property') return [toRefusal(Operand)]
    return isOperand(Operand) ? [] : [`Unknown constraint type "${Operand}"`]
  })
}

function checkNetworks(group: TaskGroup): string[] {
  const networks = group.Networks ?? []
  const faults = networks.length > 1 ? ['Only one network block is allowed in a group'] : []
  const other = networks.find((each) => each.Mode !== '' && each.Mode !== 'host')
  return other === undefined ? faults : [...faults, toRefusal(`network mode "${other.Mode}"`)]
}

function refuse(holder: object, features: Readonly<Record<string, string>>): string[] {
  return Object.entries(holder)
    .filter(([field, value]) => value !== null && field in features)
    .map(([field]) => toRefusal(features[field] ?? field))
}

function toRefusal(feature: string): string {
  return `the embedded engine does not support ${feature}: run this job on a real Nomad cluster`
}
