/** A node and an allocation as Nomad shows them, with what the fleet reads of them. */
import type { NomadAllocation, NomadNode } from '../../../src/nomad/index.ts'

export interface FakeNodeOptions {
  instanceId: string | null
  name?: string
  cpuMhz?: number
  memoryMiB?: number
  attributes?: Record<string, string>
}

export function aNode(
  number: number,
  options: FakeNodeOptions,
): Omit<NomadNode, 'CreateIndex' | 'ModifyIndex'> {
  const { instanceId, name, cpuMhz = 14_000, memoryMiB = 61_440, attributes } = options
  return {
    ID: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
    Name: name ?? instanceId ?? `static-${number}`,
    Datacenter: 'dc1',
    NodeClass: 'linux-64bit',
    Address: '',
    Drain: false,
    SchedulingEligibility: 'eligible',
    Status: 'ready',
    Attributes: {
      ...(instanceId === null ? {} : { 'unique.platform.aws.instance-id': instanceId }),
      ...attributes,
    },
    NodeResources: { Cpu: { CpuShares: cpuMhz }, Memory: { MemoryMB: memoryMiB } },
  }
}

export interface FakeJobOptions {
  type?: string
  namespace?: string
}

/** One that runs. */
export function anAllocation(
  number: number,
  node: NomadNode,
  job: string,
  { type = 'batch', namespace = 'default' }: FakeJobOptions,
): Omit<NomadAllocation, 'CreateIndex' | 'ModifyIndex'> {
  return {
    ID: `alloc-${number}`,
    EvalID: '',
    Name: job,
    Namespace: namespace,
    NodeID: node.ID,
    NodeName: node.Name,
    JobID: job,
    JobType: type,
    TaskGroup: 'slice',
    DesiredStatus: 'run',
    ClientStatus: 'running',
    CreateTime: 0,
    ModifyTime: 0,
  }
}
