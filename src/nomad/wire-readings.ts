/**
 * Nomad's JSON as gauges are made of it: of every version since 0.5, so that all that one of them lacks
 * may be absent. Units are MHz and MB.
 *
 * @see Nomad HTTP API documentation
 */

/** Numbers of allocations of one group. */
export interface GroupSummary {
  Queued?: number
  Complete?: number
  Failed?: number
  Running?: number
  Starting?: number
  Lost?: number
  Unknown?: number
}

/** One of `GET /v1/jobs`. */
export interface JobReading {
  Status: string
  Stop?: boolean
  ParentID?: string
  Periodic?: boolean
  ParameterizedJob?: boolean
  JobSummary?: { Summary?: Record<string, GroupSummary> | null } | null
}

/** What a node or an allocation had before 0.9, and reserved resources of a node too. */
export interface LegacyResources {
  CPU?: number
  MemoryMB?: number
  DiskMB?: number
  IOPS?: number
}

export interface CoreReading {
  BaseSpeed?: number
  GuessSpeed?: number
  Disable?: boolean
}

export interface NodeResourcesReading {
  Cpu?: { CpuShares?: number } | null
  Memory?: { MemoryMB?: number } | null
  Disk?: { DiskMB?: number } | null
  /** From 1.7 on. */
  Processors?: {
    Topology?: {
      Cores?: CoreReading[] | null
      OverrideTotalCompute?: number
      /** So it is spelt. */
      OverrideWitholdCompute?: number
    } | null
  } | null
}

/** `GET /v1/node/:id`; one of `GET /v1/nodes` lacks the resources. */
export interface NodeReading {
  ID: string
  Name?: string
  Status: string
  NodeClass?: string
  NodePool?: string
  Datacenter?: string
  Drain?: boolean
  DrainStrategy?: object | null
  /** From 0.8 on. */
  SchedulingEligibility?: string
  LastDrain?: { Status?: string } | null
  Resources?: LegacyResources | null
  Reserved?: LegacyResources | null
  NodeResources?: NodeResourcesReading | null
  ReservedResources?: NodeResourcesReading | null
}

export interface TaskLifecycle {
  Hook?: string
  Sidecar?: boolean
}

export interface TaskResourcesReading {
  Cpu?: { CpuShares?: number; ReservedCores?: number[] | null } | null
  Memory?: { MemoryMB?: number } | null
}

/** With its resources. */
export interface AllocationReading {
  ID: string
  ClientStatus: string
  AllocatedResources?: {
    Tasks?: Record<string, TaskResourcesReading> | null
    /** From 0.11 on. */
    TaskLifecycles?: Record<string, TaskLifecycle | null> | null
    Shared?: { DiskMB?: number } | null
  } | null
  Resources?: LegacyResources | null
  TaskResources?: Record<string, LegacyResources | null> | null
}

/** `GET /v1/acl/token/self`, the part that tells what a token may see. */
export interface TokenReading {
  AccessorID?: string
  Roles?: object[] | null
  Type?: string
  Policies?: string[] | null
}
