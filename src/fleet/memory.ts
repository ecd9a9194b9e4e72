/**
 * What is remembered from tick to tick, besides what AWS and Nomad can be asked for.
 *
 * All of it can be lost without harm: timers begin again, and a cordon is known by what the drain on the
 * node tells of itself.
 */
import type { AwsHook } from '../platform/index.ts'
import type { VictimReason } from './intents.ts'
import type { LaunchFailure } from './plan/launch-failures.ts'

/** Never changed, only replaced: what is the same object is the same. */
export interface UnitMemory {
  readonly firstSeenMs: number
  /** What it counted as last, and since when. */
  readonly state: string | null
  readonly stateSinceMs: number
  /** When its node was first seen ready; null before. */
  readonly readyMs: number | null
  /** Without a slice since then; null while it has one. */
  readonly idleSinceMs: number | null
  /** Without an allocation since then, whatever the scheduler says. */
  readonly emptySinceMs: number | null
  readonly cordon: Cordon | null
  /** The mark of a drain that was seen to be over: it does not count again. */
  readonly voidMarkMs: number | null
  /** EC2 has recommended to replace it, as its node told then. */
  readonly atRiskMs: number | null
  /** Its node was ready once, and is not since then. */
  readonly unfitSinceMs: number | null
  /** The call to terminate it was begun then. */
  readonly committedMs: number | null
  /** Whether that took one off the desired size. */
  readonly isDecremented: boolean
  /** As it was last seen. */
  readonly isInService: boolean
  /** We protected it from scale-in, so we may end that. */
  readonly isProtectedByUs: boolean
  /** When its termination was first seen to wait for us. */
  readonly waitingSinceMs: number | null
  /** When we asked Nomad to drain it for that; null before. */
  readonly drainedMs: number | null
  /** Its hook was completed then: lists that lag still show it waiting. */
  readonly completedMs: number | null
  /** Which one that was: another one that waits for us as well is not done with it. */
  readonly completedHook: string | null
  /** The end of its hook was told to be near. */
  readonly isReported: boolean
  /** How its wait ended was told. */
  readonly hasDeparted: boolean
  /** It was in the list before, and has not been since then. */
  readonly goneMs: number | null
  /** The end of a machine that its group retains was asked for then. */
  readonly endedMs: number | null
}

export interface Cordon {
  readonly reason: VictimReason
  readonly askedMs: number
  /** When Nomad first showed it; null before. */
  readonly seenMs: number | null
}

export interface PoolMemory {
  pool: string
  /** Of the group, as they were read last, for when AWS does not tell them; null before. */
  hooks: readonly AwsHook[] | null
  /** By instance id. Never changed, only replaced. */
  units: ReadonlyMap<string, UnitMemory>
  /** What the group was last asked to have, and whether it has shown so since. */
  asked: { desired: number; atMs: number } | null
  /** The desired size as it was last seen. */
  seenDesired: number | null
  /** Somebody else changed the size then. */
  foreignMs: number | null
  /** How long the last instances took from first seen to ready, oldest first. */
  bootsMs: number[]
  backoff: Partial<Record<LaunchFailure, { failures: number; untilMs: number }>>
  /** The start of the last launch that was looked at. */
  activitiesUntilMs: number
  /** Proofs of absence, by node id or instance id: when the first was had. */
  gone: Record<string, number>
  /** How many units were needed at most, by quarter of an hour; oldest first. */
  needed: { atMs: number; units: number }[]
}

export function emptyMemory(pool: string): PoolMemory {
  return {
    pool,
    hooks: null,
    units: new Map(),
    asked: null,
    seenDesired: null,
    foreignMs: null,
    bootsMs: [],
    backoff: {},
    activitiesUntilMs: 0,
    gone: {},
    needed: [],
  }
}

/** A copy that may be changed; by hand, since the general way takes longer than all of the plan. */
export function copyMemory(memory: PoolMemory): PoolMemory {
  const backoff: PoolMemory['backoff'] = {}
  for (const [kind, entry] of Object.entries(memory.backoff)) {
    backoff[kind as LaunchFailure] = { ...entry }
  }
  return {
    ...memory,
    backoff,
    asked: memory.asked === null ? null : { ...memory.asked },
    bootsMs: [...memory.bootsMs],
    gone: { ...memory.gone },
    needed: memory.needed.map((each) => ({ ...each })),
  }
}

/** Changes the memory: what these machines, as far as they are known, are remembered by. */
export function noteUnits(
  memory: PoolMemory,
  ids: readonly string[],
  changeOf: (unit: UnitMemory) => Partial<UnitMemory>,
): void {
  let units: Map<string, UnitMemory> | null = null
  for (const id of ids) {
    const known = memory.units.get(id)
    if (known === undefined) continue
    const change = changeOf(known)
    if (Object.keys(change).length === 0) continue
    units ??= new Map(memory.units)
    units.set(id, { ...known, ...change })
  }
  if (units !== null) memory.units = units
}

export function newUnit(nowMs: number): UnitMemory {
  return {
    firstSeenMs: nowMs,
    state: null,
    stateSinceMs: nowMs,
    readyMs: null,
    idleSinceMs: null,
    emptySinceMs: null,
    cordon: null,
    voidMarkMs: null,
    atRiskMs: null,
    unfitSinceMs: null,
    committedMs: null,
    isDecremented: false,
    isInService: false,
    isProtectedByUs: false,
    waitingSinceMs: null,
    drainedMs: null,
    completedMs: null,
    completedHook: null,
    isReported: false,
    hasDeparted: false,
    goneMs: null,
    endedMs: null,
  }
}
