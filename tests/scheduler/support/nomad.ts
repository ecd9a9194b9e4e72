/** What Nomad shows, for tests, each with whatever differs. */
import type {
  NomadAllocation,
  NomadEvaluation,
  NomadNode,
  TaskEvent,
} from '../../../src/nomad/index.ts'

export function anAllocation(more: Partial<NomadAllocation> = {}): NomadAllocation {
  return {
    ID: 'a1',
    EvalID: 'e1',
    Name: 'job.slice[0]',
    Namespace: 'default',
    NodeID: 'n1',
    NodeName: 'worker-1',
    JobID: 'job',
    TaskGroup: 'slice',
    DesiredStatus: 'run',
    ClientStatus: 'running',
    CreateIndex: 10,
    ModifyIndex: 11,
    CreateTime: 0,
    ModifyTime: 0,
    ...more,
  }
}

/** The events that its task ended with. */
export function withEvents(...events: (Partial<TaskEvent> & { Type: string })[]) {
  const all = events.map((event) => ({ Time: 0, ...event }))
  return {
    ClientStatus: 'failed' as const,
    TaskStates: { 'build-agent': { State: 'dead' as const, Failed: true, Events: all } },
  }
}

export function aNode(more: Partial<NomadNode> = {}): NomadNode {
  return {
    ID: 'n1',
    Name: 'worker-1',
    Datacenter: 'dc1',
    NodeClass: 'linux-64bit',
    Drain: false,
    SchedulingEligibility: 'eligible',
    Status: 'ready',
    NodeResources: { Cpu: { CpuShares: 16_000 }, Memory: { MemoryMB: 64_000 } },
    ReservedResources: { Cpu: { CpuShares: 0 }, Memory: { MemoryMB: 0 } },
    CreateIndex: 1,
    ModifyIndex: 1,
    ...more,
  }
}

export function anEvaluation(more: Partial<NomadEvaluation> = {}): NomadEvaluation {
  return {
    ID: 'e1',
    Namespace: 'default',
    Priority: 50,
    Type: 'batch',
    TriggeredBy: 'job-register',
    JobID: 'job',
    Status: 'complete',
    CreateIndex: 1,
    ModifyIndex: 1,
    ...more,
  }
}
