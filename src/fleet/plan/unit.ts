/** One machine of a pool, as a plan sees it. Pure. */
import type { UnitMemory } from '../memory.ts'
import type { NodeView, UnitView } from '../view.ts'

export const UNIT_STATES = [
  /** Asked for; not in any list yet. */
  'requested',
  'booting',
  /** Its node should have been here long ago. */
  'missing',
  /** Its node was here, and is not ready any more. */
  'unfit',
  'idle',
  'busy',
  /** Made ineligible by us; can be taken back. */
  'cordoned',
  /** EC2 takes it back within two minutes: what runs there begins again elsewhere. */
  'interrupted',
  /** Made ineligible by somebody else: neither a place for slices nor ours to end. */
  'held',
  /** We have called for its end, and it does not show yet. */
  'committing',
  /** Its termination waits for us. */
  'waiting',
  'terminating',
  /** Kept by its group after an abandoned hook: billed, and outside of the desired size. */
  'retained',
  'standby',
  /** Prepared ahead in the group's warm pool. */
  'warm',
] as const
export type UnitState = (typeof UNIT_STATES)[number]

export interface Unit {
  id: string
  state: UnitState
  view: UnitView
  /** Changed by `note`. */
  memory: UnitMemory
  /** Why nobody may choose it as a victim; null when anybody may. */
  pinned: string | null
  isOutdated: boolean
  isTooOld: boolean
}

export type UnitsByState = Readonly<Record<UnitState, readonly Unit[]>>

/** Remembers something of a machine. */
export function note(unit: Unit, change: Partial<UnitMemory>): void {
  unit.memory = { ...unit.memory, ...change }
}

export function groupByState(units: readonly Unit[]): UnitsByState {
  const groups: Partial<Record<UnitState, Unit[]>> = {}
  for (const state of UNIT_STATES) groups[state] = []
  for (const unit of units) groups[unit.state]?.push(unit)
  return groups as Record<UnitState, Unit[]>
}

export function isTold(mark: NodeView['mark'], reason: string): boolean {
  return mark?.by === 'lifecycle' && mark.reason === reason
}

export function isWarm({ lifecycle }: UnitView['member']): boolean {
  return lifecycle.startsWith('Warmed:')
}

/** A hint of EC2: it may run on for hours. */
export function isAtRisk({ memory }: Pick<Unit, 'memory'>): boolean {
  return memory.atRiskMs !== null
}

export function isBusy({ live, placed }: Pick<UnitView, 'live' | 'placed'>): boolean {
  return live.length > 0 || placed.length > 0
}
