/** What a pool has for slices, now and soon. Pure. */
import { bootQuantile, type Unit } from './ledger.ts'
import type { PoolMemory } from './memory.ts'
import type { Bin } from './packing.ts'
import type { PoolPolicy } from './policy.ts'
import type { Room } from './ports.ts'

export interface Supply {
  /** Free on nodes that take slices. */
  ready: Bin[]
  /** On nodes that a slice brings back. */
  cordoned: Bin[]
  booting: Bin[]
  /** Asked for, and in no list yet. */
  requested: Bin[]
  /** What slices will probably free before a new machine could take one: release credit. */
  freed: Bin[]
}

/** Before any boot was seen. */
export const BOOT_MS = 3 * 60_000

/** @param asked the most that the group may have been told to have. */
export function findSupply(
  units: readonly Unit[],
  { shape }: PoolPolicy,
  memory: PoolMemory,
  asked: number,
  nowMs: number,
): Supply {
  const bootMs = bootQuantile(memory, 0.5) ?? BOOT_MS
  const ready = units.filter(({ state }) => state === 'idle' || state === 'busy')
  const cordoned = units.filter((unit) => unit.state === 'cordoned' && isReturnable(unit, nowMs))
  const booting = units.filter(({ state }) => state === 'booting')
  const requested = Math.max(0, asked - membersOf(units))
  return {
    ready: ready.map(toBin),
    cordoned: cordoned.map(toBin),
    booting: booting.map(({ id }) => ({ id, free: { ...shape } })),
    requested: Array.from({ length: requested }, (_, at) => {
      return { id: `requested ${at}`, free: { ...shape } }
    }),
    freed: ready.flatMap((unit) => toFreedBin(unit, bootMs)),
  }
}

/** What the desired size counts. */
export function membersOf(units: readonly Unit[]): number {
  return units.filter(
    ({ state, memory }) => !BESIDE.has(state) && !(state === 'committing' && memory.isDecremented),
  ).length
}

const BESIDE: ReadonlySet<Unit['state']> = new Set([
  'waiting',
  'terminating',
  'retained',
  'standby',
  'warm',
])

/**
 * One that goes for its age or image comes back with a new machine instead. What its own daemon has taken
 * out on a hint comes back for slices, as long as we have not looked for another one in its place.
 */
function isReturnable({ memory: { cordon }, pinned }: Unit, nowMs: number): boolean {
  if (pinned !== null) return false
  if (cordon === null || cordon.reason === 'idle') return true
  return cordon.reason === 'at_risk' && cordon.seenMs === nowMs
}

function toBin({ id, view: { node, placed } }: Unit): Bin {
  const free = { ...(node?.room ?? NONE) }
  for (const { need } of placed) {
    free.cpuMhz -= need.cpuMhz
    free.memoryMiB -= need.memoryMiB
  }
  return { id, free }
}

const NONE: Room = { cpuMhz: 0, memoryMiB: 0 }

function toFreedBin({ id, view: { placed } }: Unit, bootMs: number): Bin[] {
  const free = { ...NONE }
  for (const { need, remainingMs } of placed) {
    if (remainingMs === null || remainingMs > bootMs) continue
    free.cpuMhz += need.cpuMhz
    free.memoryMiB += need.memoryMiB
  }
  return free.cpuMhz > 0 ? [{ id, free }] : []
}
