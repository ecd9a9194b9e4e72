/**
 * What the fleet asks of the world, and what the world may ask of the fleet.
 *
 * Durations are milliseconds; times are milliseconds since 1970 on the controller's own steady clock (see
 * steady-clock.ts), never those of another machine.
 */
import type { NomadClient } from '../nomad/index.ts'
import type { AwsRegion } from '../platform/index.ts'
import type { Intent } from './intents.ts'
import type { PoolMemory } from './memory.ts'

/** The part of AWS that the controller uses, in one region. */
export type FleetGroups = Pick<
  AwsRegion,
  | 'region'
  | 'readGroups'
  | 'readMembers'
  | 'readHooks'
  | 'readActivities'
  | 'isRefreshing'
  | 'setDesired'
  | 'terminateInGroup'
  | 'setProtection'
  | 'heartbeat'
  | 'completeAction'
  | 'readInstances'
  | 'findInstances'
  | 'terminateInstance'
  | 'readTemplateVersion'
>

/** The part of Nomad that the controller uses; its token needs to see all namespaces and to write nodes. */
export type FleetNomad = Pick<
  NomadClient,
  | 'listNodes'
  | 'readNode'
  | 'listAllocations'
  | 'nodeAllocations'
  | 'drainNode'
  | 'setEligibility'
  | 'purgeNode'
  | 'events'
>

/** What the scheduler's queue wants. */
export interface DemandSource {
  /** @throws CaravanError when the scheduler does not answer: the last demand is then the best there is. */
  read(signal?: AbortSignal): Promise<Demand>
  /** Something for each change, until the signal aborts or the line is cut: hints to read again. */
  changes(signal: AbortSignal): AsyncIterable<unknown>
}

export interface Demand {
  classes: ClassDemand[]
  /** Slices that have a node; those of them that Nomad does not show any more may still be uploading. */
  placed: PlacedSlice[]
}

export interface ClassDemand {
  name: string
  /** The pool that grows for it; null when the settings name none. */
  pool: string | null
  /** Pools that stand in for it while it can not grow, in order of preference. */
  standIns?: readonly string[]
  /** What one slice takes of a node, agent included; null for a class that is not known any more. */
  need: Room | null
  /** Slices without a node: in our queue, or handed to Nomad and not placed. */
  waiting: number
  oldestMs: number
}

export interface PlacedSlice {
  slice: string
  nodeId: string
  need: Room
  /** How long it will probably run on, by four of five earlier slices; null when nobody can tell. */
  remainingMs: number | null
}

export interface Room {
  cpuMhz: number
  memoryMiB: number
}

/**
 * What outlives the controller. One file that several processes may open: a controller, and commands that
 * look at it or leave an order. Every write of the controller carries its fence, and is refused when another
 * one has taken the lease since.
 */
export interface FleetStore {
  /**
   * Takes or renews the lease; null while another holder has it: until its time is over, or it has not been
   * renewed for as long as it is asked for here. A new holder gets a higher fence.
   */
  takeLease(holder: string, nowMs: number, forMs: number): Lease | null
  /** Ends it early, so that the next one need not wait. */
  releaseLease(lease: Lease): void
  readLease(): Lease | null

  loadMemory(): Map<string, PoolMemory>
  /** Intents that were begun and whose end is not known. */
  openIntents(): StoredIntent[]
  /**
   * What a tick decided, in one transaction, before any of it is done. Nothing at all is written, nor is the
   * fence looked at, when nothing is new.
   *
   * @throws CaravanError FLEET_LEASED when the fence is not the newest.
   */
  commitTick(lease: Lease, tick: TickCommit): void
  /** @throws CaravanError FLEET_LEASED when the fence is not the newest. */
  endIntent(lease: Lease, id: string, outcome: string, nowMs: number): void

  /** Newest first. */
  readTicks(query: TickQuery): TickRecord[]
  readOrders(nowMs: number): Orders
  pin(node: string, untilMs: number, nowMs: number): void
  unpin(node: string): boolean
  /** Asks for at least so many nodes until then. */
  orderSize(pool: string, size: number, untilMs: number, nowMs: number): void
  close(): void
}

export interface Lease {
  holder: string
  fence: number
  untilMs: number
}

export interface StoredIntent {
  id: string
  fence: number
  atMs: number
  intent: Intent
}

export interface TickCommit {
  atMs: number
  /** Written as far as it changed. */
  memory: readonly PoolMemory[]
  intents: readonly StoredIntent[]
  why: readonly PoolWhy[]
}

export interface TickQuery {
  /** The last ones that began at or before. */
  atMs?: number
  /** Only those that say something of this node or instance. */
  about?: string
  limit: number
}

export interface TickRecord {
  atMs: number
  fence: number
  why: PoolWhy[]
}

/** Why a pool is as it is: stored with each tick that changed something, and shown by `fleet explain`. */
export interface PoolWhy {
  pool: string
  desired: number
  /** Where the desired size was led to; the same when nothing was asked. */
  target: number
  min: number
  max: number
  demand: Record<string, number>
  /** Units by state. */
  ledger: Record<string, number>
  /** What was counted: packing, floors, limits hit, and why nothing was done. */
  notes: string[]
  actions: { kind: string; about: string; reason: string }[]
}

/** What people asked for. */
export interface Orders {
  /** By node id or instance id, the time until which it is nobody's victim. */
  pins: ReadonlyMap<string, number>
  /** By pool. */
  sizes: ReadonlyMap<string, { size: number; untilMs: number }>
}
