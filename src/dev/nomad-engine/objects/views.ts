/** Objects as the API shows them: the flat fields of old clients filled in, empty ones left out. */
import type { Allocation, TaskEvent, TaskState } from './allocation.ts'
import { groupOf } from './allocation.ts'
import type { Evaluation } from './evaluation.ts'
import type { Job } from './job.ts'
import type { Node } from './node.ts'
import type { JobSummary } from '../state/summary.ts'

/** Fields that Nomad prints beside `Details`, at their empty values. */
const FLAT_EVENT = {
  DiskLimit: 0,
  DownloadError: '',
  DriverError: '',
  DriverMessage: '',
  ExitCode: 0,
  FailedSibling: '',
  FailsTask: false,
  GenericSource: '',
  KillError: '',
  KillReason: '',
  KillTimeout: 0,
  RestartReason: '',
  SetupError: '',
  Signal: 0,
  StartDelay: 0,
  TaskSignal: '',
  TaskSignalReason: '',
  ValidationError: '',
  VaultError: '',
}

const NO_RESOURCES = {
  CPU: 0,
  Cores: 0,
  Devices: null,
  DiskMB: 0,
  IOPS: 0,
  MemoryMB: 0,
  MemoryMaxMB: 0,
  NUMA: null,
  Networks: null,
  SecretsMB: 0,
}

export function toEvaluationView(evaluation: Evaluation): Partial<Evaluation> {
  return omitEmpty(evaluation, EVALUATION_ALWAYS)
}

const EVALUATION_ALWAYS: ReadonlySet<string> = new Set([
  'ID',
  'Namespace',
  'Priority',
  'Type',
  'TriggeredBy',
  'JobID',
  'Status',
  'CreateIndex',
  'ModifyIndex',
  'CreateTime',
  'ModifyTime',
])

/** `related=true` of one evaluation: a stub of each one it led to or came from. */
export function toEvaluationStub(evaluation: Evaluation) {
  return pick(evaluation, EVALUATION_STUB)
}

const EVALUATION_STUB = [
  'ID',
  'Namespace',
  'Priority',
  'Type',
  'TriggeredBy',
  'JobID',
  'NodeID',
  'DeploymentID',
  'Status',
  'StatusDescription',
  'WaitUntil',
  'NextEval',
  'PreviousEval',
  'BlockedEval',
  'CreateIndex',
  'ModifyIndex',
  'CreateTime',
  'ModifyTime',
] as const satisfies readonly (keyof Evaluation)[]

/** A whole allocation, its job included. */
export function toAllocationView(allocation: Allocation) {
  const group = groupOf(allocation)
  const tasks = group?.Tasks ?? []
  const sum = (read: (task: (typeof tasks)[number]) => number) =>
    tasks.reduce((total, task) => total + read(task), 0)
  const DiskMB = group?.EphemeralDisk.SizeMB ?? 0
  return {
    ...omitEmpty({ ...allocation, DesiredTransition: toTransition(allocation) }, ALLOCATION_ALWAYS),
    Job: allocation.Job,
    TaskStates: toTaskStates(allocation.TaskStates),
    NetworkStatus: { InterfaceName: '', Address: '', AddressIPv6: '', DNS: null },
    Resources: {
      ...NO_RESOURCES,
      CPU: sum((task) => task.Resources.CPU),
      MemoryMB: sum((task) => task.Resources.MemoryMB),
      MemoryMaxMB: sum((task) => task.Resources.MemoryMaxMB || task.Resources.MemoryMB),
      DiskMB,
    },
    SharedResources: { ...NO_RESOURCES, DiskMB },
    TaskResources: Object.fromEntries(tasks.map((task) => [task.Name, task.Resources])),
  }
}

const ALLOCATION_ALWAYS: ReadonlySet<string> = new Set([
  'ID',
  'Namespace',
  'EvalID',
  'Name',
  'NodeID',
  'NodeName',
  'JobID',
  'TaskGroup',
  'AllocatedResources',
  'Metrics',
  'DesiredStatus',
  'ClientStatus',
  'ClientDescription',
  'CreateIndex',
  'ModifyIndex',
  'AllocModifyIndex',
  'CreateTime',
  'ModifyTime',
])

function toTransition({ DesiredTransition }: Allocation): Allocation['DesiredTransition'] | null {
  const isSet = Object.values(DesiredTransition).some((value) => value !== null)
  return isSet ? DesiredTransition : null
}

/** One row of an allocation list. */
export function toAllocationStub(
  allocation: Allocation,
  options: { resources?: boolean; taskStates?: boolean } = {},
) {
  return {
    ...pick(allocation, ALLOCATION_STUB),
    JobType: allocation.Job.Type,
    JobVersion: allocation.Job.Version,
    DeploymentStatus: null,
    PreemptedAllocations: null,
    PreemptedByAllocation: '',
    TaskStates: options.taskStates === false ? null : toTaskStates(allocation.TaskStates),
    ...(options.resources ? { AllocatedResources: allocation.AllocatedResources } : {}),
  }
}

const ALLOCATION_STUB = [
  'ID',
  'Namespace',
  'EvalID',
  'Name',
  'NodeID',
  'NodeName',
  'JobID',
  'TaskGroup',
  'DesiredStatus',
  'DesiredDescription',
  'DesiredTransition',
  'ClientStatus',
  'ClientDescription',
  'FollowupEvalID',
  'NextAllocation',
  'RescheduleTracker',
  'CreateIndex',
  'ModifyIndex',
  'CreateTime',
  'ModifyTime',
] as const satisfies readonly (keyof Allocation)[]

export function toTaskStates(states: Record<string, TaskState> | null) {
  if (states === null) return null
  return Object.fromEntries(
    Object.entries(states).map(([name, state]) => [
      name,
      { ...state, Paused: '', Events: state.Events.map(toEventView) },
    ]),
  )
}

function toEventView(event: TaskEvent) {
  return { ...FLAT_EVENT, ...event }
}

export function toNodeView(node: Node) {
  return {
    ...node,
    Drain: node.DrainStrategy !== null,
    ReservedResources: RESERVED_RESOURCES,
    TLSEnabled: false,
    SecretID: '',
    Links: {},
    HostVolumes: {},
    HostNetworks: null,
    CSIControllerPlugins: {},
    CSINodePlugins: {},
    CgroupParent: '',
    LastMissedHeartbeatIndex: 0,
    GCVolumesOnNodeGC: false,
    NodeMaxAllocs: 0,
  }
}

const RESERVED_RESOURCES = {
  Cpu: { CpuShares: 0, ReservedCpuCores: null },
  Memory: { MemoryMB: 0 },
  Disk: { DiskMB: 0 },
  Networks: { ReservedHostPorts: '' },
}

/** One row of a node list. */
export function toNodeStub(node: Node, options: { resources: boolean; os: boolean }) {
  return {
    ...pick(node, NODE_STUB),
    Address: node.HTTPAddr.replace(/:\d+$/, ''),
    Version: node.Attributes['nomad.version'] ?? '',
    Drain: node.DrainStrategy !== null,
    HostVolumes: {},
    ...(options.os ? { Attributes: { 'os.name': node.Attributes['os.name'] } } : {}),
    ...(options.resources
      ? { NodeResources: node.NodeResources, ReservedResources: RESERVED_RESOURCES }
      : {}),
  }
}

const NODE_STUB = [
  'ID',
  'Name',
  'Datacenter',
  'NodePool',
  'NodeClass',
  'Drivers',
  'LastDrain',
  'SchedulingEligibility',
  'Status',
  'StatusDescription',
  'CreateIndex',
  'ModifyIndex',
] as const satisfies readonly (keyof Node)[]

/** One row of a job list. */
export function toJobStub(job: Job, JobSummary: JobSummary, options: { meta: boolean }) {
  return {
    ...pick(job, JOB_STUB),
    JobSummary,
    Multiregion: null,
    Periodic: false,
    ParameterizedJob: false,
    ...(options.meta ? { Meta: job.Meta } : {}),
  }
}

const JOB_STUB = [
  'ID',
  'ParentID',
  'Name',
  'Namespace',
  'Datacenters',
  'NodePool',
  'Type',
  'Priority',
  'Stop',
  'Status',
  'StatusDescription',
  'CreateIndex',
  'ModifyIndex',
  'JobModifyIndex',
  'SubmitTime',
] as const satisfies readonly (keyof Job)[]

function pick<T extends object, K extends keyof T>(row: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, row[key]])) as Pick<T, K>
}

function omitEmpty<T extends object>(row: T, always: ReadonlySet<string>): Partial<T> {
  return Object.fromEntries(
    Object.entries(row).filter(([key, value]) => always.has(key) || !isEmpty(value)),
  ) as Partial<T>
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '' || value === 0
}
