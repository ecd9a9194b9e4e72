/** Objects of the engine's own, with one visible difference each. */
import { completeJob } from '../../../src/dev/nomad-engine/jobs/defaults.ts'
import { jobSchema } from '../../../src/dev/nomad-engine/objects/job.ts'
import type { Job } from '../../../src/dev/nomad-engine/objects/job.ts'
import { NO_TRANSITION } from '../../../src/dev/nomad-engine/objects/allocation.ts'
import type { Allocation } from '../../../src/dev/nomad-engine/objects/allocation.ts'
import type { Node } from '../../../src/dev/nomad-engine/objects/node.ts'
import { createUuid, toNanoseconds } from '../../../src/dev/nomad-engine/objects/values.ts'
import { describeNode } from '../../../src/dev/nomad-engine/node-registration.ts'
import { completeNodeOptions } from '../../../src/dev/nomad-engine/options.ts'
import type { EngineNodeOptions } from '../../../src/dev/index.ts'
import { State } from '../../../src/dev/nomad-engine/state/state.ts'
import { SETTING_KEY, toJobKey } from '../../../src/dev/nomad-engine/state/rows.ts'
import type { SchedulerConfiguration } from '../../../src/dev/nomad-engine/state/rows.ts'
import type { RandomSource } from '../../../src/platform/index.ts'
import { aJob } from './support.ts'

export const NOW_MS = 1_700_000_000_000

/** The same numbers every time. */
export function replayedRandom(seed = 1): RandomSource {
  let state = seed
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state
  }
  return {
    number: () => next() / 2 ** 31,
    bytes: (size) => Uint8Array.from({ length: size }, () => next() >>> 16),
  }
}

export const random = replayedRandom()

export const CONFIGURATION: SchedulerConfiguration = {
  SchedulerAlgorithm: 'binpack',
  PreemptionConfig: {
    SystemSchedulerEnabled: true,
    SysBatchSchedulerEnabled: false,
    BatchSchedulerEnabled: false,
    ServiceSchedulerEnabled: false,
  },
  MemoryOversubscriptionEnabled: false,
  RejectJobRegistration: false,
  PauseEvalBroker: false,
  NodeLimitForFeasibilityChecks: 0,
  CreateIndex: 0,
  ModifyIndex: 0,
}

export function aNode(options: EngineNodeOptions = {}, more: Partial<Node> = {}): Node {
  const node = describeNode({
    options: completeNodeOptions({ cpuMhz: 1000, memoryMiB: 1000, diskMiB: 1000, ...options }, 0),
    known: undefined,
    address: '127.0.0.1:4646',
    nowMs: NOW_MS,
    random,
  })
  return { ...node, ...more }
}

export function aStoredJob(
  id = 'job',
  more: Parameters<typeof aJob>[2] = {},
  kept: Partial<Job> = {},
): Job {
  return {
    ...completeJob(jobSchema.parse(aJob(id, 'exit 0', more))),
    Stop: false,
    Stable: false,
    Status: 'pending',
    StatusDescription: '',
    Version: 0,
    SubmitTime: toNanoseconds(NOW_MS),
    NomadTokenID: '',
    CreateIndex: 10,
    ModifyIndex: 10,
    JobModifyIndex: 10,
    ...kept,
  }
}

export function anAllocation(job: Job, more: Partial<Allocation> = {}): Allocation {
  return {
    ID: createUuid(random),
    Namespace: job.Namespace,
    EvalID: createUuid(random),
    Name: `${job.ID}.slice[0]`,
    NodeID: 'node',
    NodeName: 'node',
    JobID: job.ID,
    Job: job,
    TaskGroup: 'slice',
    AllocatedResources: {
      Tasks: {},
      TaskLifecycles: {},
      Shared: { DiskMB: 300, Networks: null, Ports: null },
    },
    Metrics: {
      NodesEvaluated: 0,
      NodesFiltered: 0,
      NodesInPool: 0,
      NodePool: 'default',
      NodesAvailable: {},
      ClassFiltered: null,
      ConstraintFiltered: null,
      NodesExhausted: 0,
      ClassExhausted: null,
      DimensionExhausted: null,
      QuotaExhausted: null,
      ResourcesExhausted: null,
      Scores: null,
      ScoreMetaData: null,
      AllocationTime: 0,
      CoalescedFailures: 0,
    },
    DesiredStatus: 'run',
    DesiredDescription: '',
    DesiredTransition: NO_TRANSITION,
    ClientStatus: 'running',
    ClientDescription: '',
    TaskStates: null,
    RescheduleTracker: null,
    FollowupEvalID: '',
    NextAllocation: '',
    PreviousAllocation: '',
    CreateIndex: 20,
    ModifyIndex: 20,
    AllocModifyIndex: 20,
    CreateTime: toNanoseconds(NOW_MS),
    ModifyTime: toNanoseconds(NOW_MS),
    ...more,
  }
}

/** A state that holds these rows and nothing else. */
export function aState(rows: { nodes?: Node[]; jobs?: Job[]; allocations?: Allocation[] } = {}) {
  const state = new State()
  state.apply(1, [{ table: 'setting', key: SETTING_KEY, put: CONFIGURATION }])
  for (const put of rows.nodes ?? []) state.apply(1, [{ table: 'node', key: put.ID, put }])
  for (const put of rows.jobs ?? []) state.apply(10, [{ table: 'job', key: toJobKey(put), put }])
  for (const put of rows.allocations ?? []) {
    state.apply(20, [{ table: 'allocation', key: put.ID, put }])
  }
  return state
}
