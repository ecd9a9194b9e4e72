/**
 * A pool as it was seen: what the plan decides from.
 *
 * Within one look nodes are read before allocations, so that an allocation on a node which the look shows as
 * ineligible was placed before, and none comes after.
 */
import type {
  AwsActivity,
  AwsGroup,
  AwsHook,
  AwsInstance,
  AwsMember,
  AwsTemplate,
} from '../platform/index.ts'
import type { DrainMark } from './drain-mark.ts'
import type { ClassDemand, Room } from './ports.ts'
import type { DrainFacts } from './proof.ts'

export interface PoolView {
  /** When the look began: whatever happened before is in it. */
  startedMs: number
  /** Null when Auto Scaling does not know it. */
  group: AwsGroup | null
  /** Null while they have not been read. */
  hooks: AwsHook[] | null
  /** Null while it is not known. */
  isRefreshing: boolean | null
  /** What new instances are made from, as a number; null when it can not be told. */
  newest: AwsTemplate | null
  units: UnitView[]
  /** False while Nomad does not answer: then nothing is known of nodes. */
  isNomadKnown: boolean
  /** Null when the scheduler never answered. */
  demand: { classes: ClassDemand[]; atMs: number } | null
  /** Newest first; empty when there was no reason to look. */
  activities: AwsActivity[]
  strays: StrayView[]
  deadNodes: DeadNodeView[]
  /** Nodes of the cluster that live and belong to no instance that we can name. */
  unmatched: number
  pins: ReadonlyMap<string, number>
  /** At least so many nodes, as somebody ordered. */
  orderedSize: number | null
}

export interface UnitView {
  member: AwsMember
  /** As EC2 tells; null while it has not been asked. */
  launchedMs: number | null
  node: NodeView | null
  /** What runs, or may run, on the node; system jobs are left out. */
  live: LiveAllocation[]
  /** What the scheduler has there by its own account. */
  placed: { need: Room; remainingMs: number | null }[]
}

export interface NodeView extends DrainFacts {
  id: string
  name: string
  status: 'initializing' | 'ready' | 'disconnected' | 'down'
  /** Its drain would end what still runs at a deadline. */
  hasDeadline?: boolean
  /** Who drained it last, also when it is eligible again since; null when nothing is told. */
  mark: DrainMark | null
  /** For slices, all in all. */
  room: Room
}

export interface LiveAllocation {
  id: string
  job: string
}

/** Launched for the group, and not in it. */
export interface StrayView {
  instance: AwsInstance
  node: NodeView | null
  live: LiveAllocation[]
}

/** A node that is down and whose instance is not in the group. */
export interface DeadNodeView {
  id: string
  instanceId: string
  /** What EC2 says of the instance; `unknown` when it was not asked, or did not answer. */
  instance: AwsInstance['state'] | 'absent' | 'replaced'
}
