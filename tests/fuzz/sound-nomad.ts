/** Objects as Nomad sends them, as far as anything of ours looks at them. */

export const JOB = {
  ID: 'a',
  Name: 'a',
  Type: 'batch',
  Status: 'running',
  Namespace: 'default',
  Version: 0,
  CreateIndex: 10,
  ModifyIndex: 12,
  JobModifyIndex: 10,
  Meta: { install: 'abc', epoch: '1' },
  TaskGroups: [
    { Name: 'slice', Count: 1, Tasks: [{ Name: 'build-agent', Driver: 'raw_exec', Env: {} }] },
  ],
  Allocs: [{ ID: 'b', ClientStatus: 'running', NodeID: 'c' }],
}

export const ALLOCATION = {
  ID: 'b',
  EvalID: 'e',
  JobID: 'a',
  NodeID: 'c',
  NodeName: 'node',
  TaskGroup: 'slice',
  DesiredStatus: 'run',
  DesiredDescription: '',
  ClientStatus: 'complete',
  ClientDescription: 'All tasks have completed',
  CreateIndex: 11,
  ModifyIndex: 14,
  CreateTime: 1_700_000_000_000_000_000,
  ModifyTime: 1_700_000_000_000_000_000,
  TaskStates: {
    'build-agent': {
      State: 'dead',
      Failed: true,
      FinishedAt: '2026-01-01T00:00:00Z',
      Events: [
        { Type: 'Started', Time: 1, Details: {} },
        {
          Type: 'Terminated',
          Time: 2,
          Details: { exit_code: '1', signal: '0', oom_killed: 'false' },
        },
      ],
    },
  },
}

export const EVALUATION = {
  ID: 'e',
  JobID: 'a',
  Status: 'complete',
  Type: 'batch',
  TriggeredBy: 'job-register',
  ModifyIndex: 13,
  BlockedEval: '',
  FailedTGAllocs: {
    slice: { NodesEvaluated: 1, ConstraintFiltered: { x: 1 }, DimensionExhausted: { memory: 1 } },
  },
}

export const NODE = {
  ID: 'c',
  Name: 'node',
  Datacenter: 'dc1',
  NodeClass: 'linux-64bit',
  NodePool: 'default',
  Status: 'ready',
  SchedulingEligibility: 'eligible',
  Drain: false,
  Drivers: { raw_exec: { Detected: true, Healthy: true } },
  NodeResources: {
    Cpu: { CpuShares: 4000, TotalCpuCores: 4 },
    Memory: { MemoryMB: 8192 },
    Disk: { DiskMB: 10_000 },
  },
  ReservedResources: { Cpu: { CpuShares: 0 }, Memory: { MemoryMB: 0 }, Disk: { DiskMB: 0 } },
  Attributes: { 'os.name': 'linux' },
  ModifyIndex: 9,
}

export const EVENT = {
  Index: 20,
  Events: [
    { Topic: 'Job', Type: 'JobRegistered', Key: 'a', Index: 20, Payload: { Job: JOB } },
    {
      Topic: 'Allocation',
      Type: 'AllocationUpdated',
      Key: 'b',
      Payload: { Allocation: ALLOCATION },
    },
  ],
}
