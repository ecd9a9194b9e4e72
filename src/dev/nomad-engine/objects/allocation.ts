/** Allocations, the states of their tasks, and what those states add up to. */
import type { AllocationMetric } from './evaluation.ts'
import type { Job, TaskGroup } from './job.ts'

export type ClientStatus = 'pending' | 'running' | 'complete' | 'failed' | 'lost' | 'unknown'

export interface TaskEvent {
  Type: string
  /** Unix nanoseconds. */
  Time: number
  Message: string
  DisplayMessage: string
  Details: Record<string, string>
  ExitCode?: number
  Signal?: number
  KillTimeout?: number
  KillReason?: string
  DriverError?: string
  ValidationError?: string
  SetupError?: string
  RestartReason?: string
  StartDelay?: number
  FailsTask?: boolean
  FailedSibling?: string
}

export interface TaskState {
  State: 'pending' | 'running' | 'dead'
  Failed: boolean
  Restarts: number
  LastRestart: string | null
  StartedAt: string | null
  FinishedAt: string | null
  Events: TaskEvent[]
}

export interface PortMapping {
  Label: string
  Value: number
  To: number
  HostIP: string
}

export interface AllocatedResources {
  Tasks: Record<
    string,
    {
      Cpu: { CpuShares: number; ReservedCores: null }
      Memory: { MemoryMB: number; MemoryMaxMB: number }
      Networks: null
      Devices: null
    }
  >
  TaskLifecycles: Record<string, null>
  Shared: { DiskMB: number; Networks: unknown; Ports: PortMapping[] | null }
}

export interface DesiredTransition {
  Migrate: boolean | null
  Reschedule: boolean | null
  ForceReschedule: boolean | null
  NoShutdownDelay: boolean | null
  MigrateDisablePlacement: boolean | null
}

export interface RescheduleTracker {
  Events: { RescheduleTime: number; PrevAllocID: string; PrevNodeID: string; Delay: number }[]
  LastReschedule: string
}

export interface Allocation {
  ID: string
  Namespace: string
  EvalID: string
  /** `job.group[index]`. */
  Name: string
  NodeID: string
  NodeName: string
  JobID: string
  /** The job as it was when this was placed. */
  Job: Job
  TaskGroup: string
  AllocatedResources: AllocatedResources
  Metrics: AllocationMetric
  DesiredStatus: 'run' | 'stop' | 'evict'
  DesiredDescription: string
  DesiredTransition: DesiredTransition
  ClientStatus: ClientStatus
  ClientDescription: string
  TaskStates: Record<string, TaskState> | null
  RescheduleTracker: RescheduleTracker | null
  FollowupEvalID: string
  NextAllocation: string
  PreviousAllocation: string
  CreateIndex: number
  ModifyIndex: number
  /** Last change by the scheduler, not by the client. */
  AllocModifyIndex: number
  CreateTime: number
  ModifyTime: number
}

export const NO_TRANSITION: DesiredTransition = {
  Migrate: null,
  Reschedule: null,
  ForceReschedule: null,
  NoShutdownDelay: null,
  MigrateDisablePlacement: null,
}

/** The client is done with it, whatever the scheduler wants. */
export function isClientTerminal(allocation: Pick<Allocation, 'ClientStatus'>): boolean {
  const { ClientStatus } = allocation
  return ClientStatus === 'complete' || ClientStatus === 'failed' || ClientStatus === 'lost'
}

/** Nothing more will run in it, or nothing more is wanted of it. */
export function isTerminal(
  allocation: Pick<Allocation, 'ClientStatus' | 'DesiredStatus'>,
): boolean {
  return allocation.DesiredStatus !== 'run' || isClientTerminal(allocation)
}

/** @returns the group this allocation was made from; an allocation never outlives its job's text. */
export function groupOf(allocation: Pick<Allocation, 'Job' | 'TaskGroup'>): TaskGroup | undefined {
  return allocation.Job.TaskGroups.find((group) => group.Name === allocation.TaskGroup)
}

/** Status of the whole from the states of its tasks: failed wins, then running, then pending. */
export function summarizeTasks(
  states: Record<string, TaskState>,
): Pick<Allocation, 'ClientStatus' | 'ClientDescription'> {
  const all = Object.values(states)
  if (all.some((state) => state.State === 'dead' && state.Failed)) {
    return { ClientStatus: 'failed', ClientDescription: 'Failed tasks' }
  }
  if (all.some((state) => state.State === 'running')) {
    return { ClientStatus: 'running', ClientDescription: 'Tasks are running' }
  }
  if (all.some((state) => state.State === 'pending')) {
    return { ClientStatus: 'pending', ClientDescription: 'No tasks have started' }
  }
  return { ClientStatus: 'complete', ClientDescription: 'All tasks have completed' }
}

export interface Ask {
  cpuMhz: number
  memoryMiB: number
  diskMiB: number
}

/** What one allocation of the group reserves. */
export function askOf(group: TaskGroup): Ask {
  const sum = (pick: (task: TaskGroup['Tasks'][number]) => number) =>
    group.Tasks.reduce((total, each) => total + pick(each), 0)
  return {
    cpuMhz: sum((each) => each.Resources.CPU),
    memoryMiB: sum((each) => each.Resources.MemoryMB),
    diskMiB: group.EphemeralDisk.SizeMB,
  }
}
