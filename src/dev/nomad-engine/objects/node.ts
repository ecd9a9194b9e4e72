/** Nodes: what they offer, and whether they may be given work. */

export type NodeStatus = 'initializing' | 'ready' | 'disconnected' | 'down'

export interface DrainStrategy {
  /** Nanoseconds. Below 0: stop everything now. 0: no limit. */
  Deadline: number
  IgnoreSystemJobs: boolean
  ForceDeadline: string | null
  StartedAt: string
}

export interface LastDrain {
  StartedAt: string
  UpdatedAt: string
  Status: 'draining' | 'complete' | 'canceled'
  AccessorID: string
  Meta: Record<string, string> | null
}

export interface NodeEvent {
  Message: string
  Subsystem: 'Cluster' | 'Drain' | 'Driver'
  Details: Record<string, string> | null
  Timestamp: string
  CreateIndex: number
}

export interface DriverInfo {
  Attributes: Record<string, string>
  Detected: boolean
  Healthy: boolean
  HealthDescription: string
  UpdateTime: string
}

export interface Node {
  ID: string
  Name: string
  Datacenter: string
  NodePool: string
  NodeClass: string
  ComputedClass: string
  HTTPAddr: string
  Attributes: Record<string, string>
  Meta: Record<string, string>
  Drivers: Record<string, DriverInfo>
  NodeResources: NodeResources
  SchedulingEligibility: 'eligible' | 'ineligible'
  DrainStrategy: DrainStrategy | null
  LastDrain: LastDrain | null
  Status: NodeStatus
  StatusDescription: string
  /** Unix seconds. */
  StatusUpdatedAt: number
  Events: NodeEvent[]
  LastAllocUpdateIndex: number
  CreateIndex: number
  ModifyIndex: number
}

export interface NodeResources {
  Cpu: { CpuShares: number; TotalCpuCores: number; ReservableCpuCores: number[] }
  Memory: { MemoryMB: number }
  Disk: { DiskMB: number }
  Networks: { Mode: string; Device: string; CIDR: string; IP: string; MBits: number }[]
  NodeNetworks: unknown[]
  Devices: null
  MinDynamicPort: number
  MaxDynamicPort: number
}

/** Nomad keeps the last ten, so that a flapping node does not grow without end. */
const EVENTS_MAX = 10

export function isPlaceable(node: Node): boolean {
  return (
    node.Status === 'ready' &&
    node.DrainStrategy === null &&
    node.SchedulingEligibility === 'eligible'
  )
}

export function addNodeEvent(
  events: readonly NodeEvent[],
  event: Pick<NodeEvent, 'Message' | 'Subsystem' | 'Timestamp'> & Partial<NodeEvent>,
): NodeEvent[] {
  return [...events, { Details: null, CreateIndex: 0, ...event }].slice(-EVENTS_MAX)
}
