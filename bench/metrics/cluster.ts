/** A large cluster, as Nomad's lists tell of it. */

const JOBS = 100_000
const NODES = 10_000
/** Of one node, which is the one whose client is measured. */
const ALLOCATIONS = 20

export const CLUSTER = { jobs: JOBS, nodes: NODES }
const CORES = 16

/** Of `/v1/jobs`: a running one for each dead one. */
export function aJobStub(number: number): object {
  const id = `${hex(number, 24)}-0-build-acme-site-${number}`
  const isDead = number % 2 === 0
  return {
    ID: id,
    ParentID: '',
    Name: id,
    Namespace: 'ci',
    Datacenters: ['*'],
    NodePool: 'default',
    Multiregion: null,
    Type: 'batch',
    Priority: 50,
    Periodic: false,
    ParameterizedJob: false,
    Stop: false,
    Status: isDead ? 'dead' : 'running',
    StatusDescription: '',
    JobSummary: {
      JobID: id,
      Namespace: 'ci',
      Summary: {
        slice: {
          Queued: 0,
          Complete: isDead ? 1 : 0,
          Failed: 0,
          Running: isDead ? 0 : 1,
          Starting: 0,
          Lost: 0,
          Unknown: 0,
        },
      },
      Children: { Pending: 0, Running: 0, Dead: 0 },
      CreateIndex: 1000 + number,
      ModifyIndex: 2000 + number,
    },
    CreateIndex: 1000 + number,
    ModifyIndex: 3000 + number,
    JobModifyIndex: 1000 + number,
    SubmitTime: 1_763_696_607_000_000_000,
    Meta: null,
  }
}

/** Of `/v1/node/:id`. */
export function aNode(number: number): object {
  return { ...aNodeStub(number), ...resources() }
}

/** Of `/v1/nodes`. */
export function aNodeStub(number: number): object {
  const driver = (name: string) => [
    name,
    {
      Attributes: { [`driver.${name}`]: 'true', [`driver.${name}.version`]: '28.2.2' },
      Detected: true,
      Healthy: true,
      HealthDescription: 'Healthy',
      UpdateTime: '2025-11-21T04:53:00.123456789Z',
    },
  ]
  return {
    ID: nodeId(number),
    Address: `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`,
    Attributes: { 'os.name': 'debian', 'platform.aws.instance-type': 'm6i.4xlarge' },
    Datacenter: 'dc1',
    Name: `i-${hex(number, 17)}`,
    NodePool: 'default',
    NodeClass: number % 4 === 0 ? 'linux-large' : 'linux-64bit',
    Version: '2.0.5',
    Drain: false,
    SchedulingEligibility: 'eligible',
    Status: number % 100 === 0 ? 'down' : 'ready',
    StatusDescription: '',
    Drivers: Object.fromEntries(['docker', 'exec', 'java', 'qemu', 'raw_exec'].map(driver)),
    HostVolumes: null,
    LastDrain: null,
    CreateIndex: 10 + number,
    ModifyIndex: 5000 + number,
  }
}

function resources(): object {
  const cores = Array.from({ length: CORES }, (_, core) => ({
    SocketID: 0,
    NodeID: 0,
    ID: core,
    Grade: true,
    Disable: false,
    BaseSpeed: 2500,
    MaxSpeed: 3500,
    GuessSpeed: 0,
  }))
  return {
    NodeResources: {
      Cpu: { CpuShares: CORES * 2500, TotalCpuCores: CORES, ReservableCpuCores: [] },
      Memory: { MemoryMB: 64_000 },
      Disk: { DiskMB: 200_000 },
      Networks: [{ Device: 'eth0', CIDR: '10.0.0.1/32', IP: '10.0.0.1', Mode: 'host', MBits: 0 }],
      NodeNetworks: [{ Mode: 'host', Device: 'eth0', Speed: 10_000, Addresses: [] }],
      Processors: {
        Topology: {
          NodeIDs: [0],
          Distances: [[10]],
          Cores: cores,
          OverrideTotalCompute: 0,
          OverrideWitholdCompute: 0,
        },
      },
      Devices: null,
      MinDynamicPort: 20_000,
      MaxDynamicPort: 32_000,
    },
    ReservedResources: {
      Cpu: { CpuShares: 2000, ReservedCpuCores: [] },
      Memory: { MemoryMB: 4000 },
      Disk: { DiskMB: 10_000 },
      Networks: { ReservedHostPorts: '22' },
    },
  }
}

/** Of `/v1/allocations?resources=true`: those that run on one node. */
export function allocations(): object[] {
  return Array.from({ length: ALLOCATIONS }, (_, number) => ({
    ID: `${hex(number, 8)}-0000-4000-8000-${hex(number, 12)}`,
    EvalID: `${hex(number, 8)}-0000-4000-9000-${hex(number, 12)}`,
    Name: `build-${number}.slice[0]`,
    Namespace: 'ci',
    NodeID: nodeId(1),
    JobID: `${hex(number, 24)}-0-build-acme-site-${number}`,
    TaskGroup: 'slice',
    AllocatedResources: {
      Tasks: {
        'build-agent': {
          Cpu: { CpuShares: 1500, ReservedCores: null },
          Memory: { MemoryMB: 2500, MemoryMaxMB: 0 },
          Networks: null,
          Devices: null,
        },
      },
      TaskLifecycles: { 'build-agent': null },
      Shared: { DiskMB: 300, Networks: null, Ports: null },
    },
    DesiredStatus: 'run',
    ClientStatus: 'running',
    CreateIndex: 7000 + number,
    ModifyIndex: 8000 + number,
  }))
}

export function nodeId(number: number): string {
  return `${hex(number, 8)}-1111-4000-8000-${hex(number, 12)}`
}

function hex(number: number, length: number): string {
  return (number + 0x10_000).toString(16).padStart(length, '5')
}
