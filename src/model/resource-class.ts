/**
 * Resource classes: named cpu and memory.
 *
 * 1 vCPU counts as 1000 MHz; the client userdata sets `cpu_total_compute` so that Nomad agrees.
 */

export interface ResourceClass {
  name: string
  vcpu: number
  memoryMiB: number
  nodeClass: string
  /** Pools of the fleet that grow for this class, in order of preference, when there are any. */
  pools?: readonly string[]
}

export const MHZ_PER_VCPU = 1000

/** Processes and threads of a slice in containers: more than any build has, less than hurts a node. */
export const PIDS_MAX = 8192

/** Reserved beside every slice for the agent itself; users do not see it in their class. */
export const AGENT_OVERHEAD = { cpuMhz: 1000, memoryMiB: 512 } as const

export const DEFAULT_RESOURCE_CLASS = 'medium'

const NODE_CLASS = 'linux-64bit'

/** The classes every installation has, as operators of such systems know them. */
export const BUILT_IN_CLASSES: readonly ResourceClass[] = [
  { name: 'small', vcpu: 2, memoryMiB: 4096, nodeClass: NODE_CLASS },
  { name: 'medium', vcpu: 4, memoryMiB: 8192, nodeClass: NODE_CLASS },
  { name: 'large', vcpu: 4, memoryMiB: 16_384, nodeClass: NODE_CLASS },
  { name: 'massive', vcpu: 7, memoryMiB: 28_000, nodeClass: NODE_CLASS },
]

/** What Nomad is asked to reserve for one slice of this class, overhead included. */
export function toReservation(resourceClass: ResourceClass): { cpuMhz: number; memoryMiB: number } {
  return {
    cpuMhz: Math.round(resourceClass.vcpu * MHZ_PER_VCPU) + AGENT_OVERHEAD.cpuMhz,
    memoryMiB: resourceClass.memoryMiB + AGENT_OVERHEAD.memoryMiB,
  }
}
