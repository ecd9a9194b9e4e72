/**
 * Which pool each waiting slice is counted for, where classes name several: the first one that has a place,
 * or can have one made. Each slice counts for exactly one pool. Pure, but for the drafts that it is given.
 *
 * What is there anywhere comes before what has yet to be launched: a pool that works again takes nothing
 * away from one that has begun to stand in for it.
 */
import type { Draft } from './draft.ts'
import { backoffReason } from './launch-failures.ts'
import { fits, type Bin } from './packing.ts'
import type { ClassDemand, Room } from '../ports.ts'
import {
  bootingBins,
  cordonedBins,
  freedBins,
  readyBins,
  requestedBins,
  requestedOf,
} from './supply.ts'
import { counted } from './words.ts'

/** Leaves all as it is when no slice waits that several pools could take. */
export function shareDemand(drafts: readonly Draft[]): void {
  if (!drafts.some(({ view }) => view.demand?.classes.some(mayMove))) return
  const pools = new Map(drafts.map((draft) => [draft.policy.name, new Pool(draft)]))
  const shared: { claim: ClassDemand; own: Pool; standIns: Pool[] }[] = []
  for (const own of pools.values()) {
    for (const claim of own.draft.view.demand?.classes ?? []) {
      const standIns = (claim.standIns ?? []).flatMap((name) => pools.get(name) ?? [])
      if (claim.waiting > 0 && claim.need !== null && standIns.length > 0) {
        shared.push({ claim, own, standIns })
      }
    }
  }
  if (shared.length === 0) return
  // What has no choice comes first, so that nobody is counted into its places.
  for (const pool of pools.values()) {
    for (const claim of pool.draft.view.demand?.classes ?? []) {
      if (shared.some((each) => each.claim === claim) || claim.need === null) continue
      pool.growFor(claim.need, pool.layAll(claim.need, claim.waiting))
    }
  }
  for (const { claim, own, standIns } of shared.sort(bySize)) share(claim, own, standIns)
}

const mayMove = ({ waiting, standIns = [] }: ClassDemand) => waiting > 0 && standIns.length > 0

const bySize = (a: { claim: ClassDemand }, b: { claim: ClassDemand }) =>
  (b.claim.need?.cpuMhz ?? 0) - (a.claim.need?.cpuMhz ?? 0) ||
  (b.claim.need?.memoryMiB ?? 0) - (a.claim.need?.memoryMiB ?? 0)

function share(claim: ClassDemand, own: Pool, standIns: readonly Pool[]): void {
  const { need } = claim
  if (need === null) return
  const all = [own, ...standIns]
  const given = new Map<Pool, number>()
  let left = claim.waiting
  const give = (pool: Pool, remaining: number) => {
    if (left > remaining) given.set(pool, (given.get(pool) ?? 0) + left - remaining)
    left = remaining
  }
  for (let kind = 0; kind < PLACES; kind++) {
    for (const pool of all) give(pool, pool.lay(kind, need, left))
  }
  const grown = new Set<Pool>()
  for (const pool of all) {
    const remaining = pool.growFor(need, left)
    if (remaining < left) grown.add(pool)
    give(pool, remaining)
  }
  // Nobody can: they are told as waiting where they would like to be.
  give(own, 0)
  const moved = all.slice(1).filter((pool) => given.has(pool))
  if (moved.length === 0) return
  const { draft } = own
  own.setClaim({ ...claim, waiting: given.get(own) ?? 0 })
  if (draft.view.group?.suspended.includes('Launch')) {
    const text = 'launching is suspended in the group'
    draft.alarms.push({ key: 'launch suspended', text, about: draft.policy.group })
  }
  for (const pool of moved) {
    const count = given.get(pool) ?? 0
    const slices = `${counted(count, 'slice')} of ${claim.name}`
    const why = grown.has(pool) ? (own.whyNot ?? own.limitFor(need)) : 'it has room'
    const { standIns: _own, ...rest } = claim
    pool.setClaim({ ...rest, pool: pool.name, waiting: count })
    draft.notes.push(`${pool.name} stands in for ${slices}: ${why}`)
    pool.draft.notes.push(`stands in for ${own.name}: ${slices}`)
  }
}

/** Ready, cordoned, booting, asked for, freed in time: see supply.ts. */
const PLACES = 5

/** The places of a pool while slices are laid into them. */
class Pool {
  readonly draft: Draft
  readonly name: string
  /** Why it can not have another machine; null when it can. */
  readonly whyNot: string | null
  readonly #places: Bin[][]
  readonly #new: Room[] = []
  readonly #newMost: number

  constructor(draft: Draft) {
    this.draft = draft
    this.name = draft.policy.name
    this.whyNot = whyNotGrow(draft)
    const { sizes, memory, nowMs } = draft
    this.#newMost = this.whyNot === null ? Math.max(0, sizes.max - sizes.asked) : 0
    const isBroken = (memory.backoff.never_registered?.untilMs ?? 0) > nowMs
    this.#places = [
      [...readyBins(draft)],
      [...cordonedBins(draft)],
      // What never came before, or fails to launch, may not come now.
      isBroken ? [] : [...bootingBins(draft)],
      this.whyNot === null ? [...requestedBins(draft)] : [],
      [...freedBins(draft)],
    ]
  }

  /** @returns how many are left. */
  lay(kind: number, need: Room, count: number): number {
    let left = count
    for (const bin of this.#places[kind] ?? []) {
      if (left === 0) break
      left -= take(bin, need, left)
    }
    return left
  }

  layAll(need: Room, count: number): number {
    let left = count
    for (let kind = 0; kind < PLACES; kind++) left = this.lay(kind, need, left)
    return left
  }

  growFor(need: Room, count: number): number {
    let left = count
    for (const room of this.#new) if (left > 0) left -= take(room, need, left)
    const { shape } = this.draft.policy
    while (left > 0 && this.#new.length < this.#newMost && fits(need, shape) > 0) {
      const room = { ...shape }
      left -= take(room, need, left)
      this.#new.push(room)
    }
    return left
  }

  limitFor(need: Room): string {
    const { policy, sizes } = this.draft
    return fits(need, policy.shape) === 0
      ? 'its machines are too small'
      : `its maximum is ${sizes.max}`
  }

  setClaim(claim: ClassDemand): void {
    const { demand } = this.draft.view
    if (demand === null) return
    const others = demand.classes.filter(({ name }) => name !== claim.name)
    const classes = [...others, claim]
    this.draft.view = { ...this.draft.view, demand: { ...demand, classes } }
  }
}

function take(room: Room, need: Room, most: number): number {
  const count = Math.min(most, fits(need, room))
  room.cpuMhz -= need.cpuMhz * count
  room.memoryMiB -= need.memoryMiB * count
  return count
}

function whyNotGrow(draft: Draft): string | null {
  const { view, memory, nowMs } = draft
  const { group, isNomadKnown } = view
  if (group === null) return 'its group is not there'
  if (group.status !== null) return `its group has the status ${group.status}`
  if (!isNomadKnown) return 'Nomad does not answer'
  if (group.suspended.includes('Launch')) return 'launching is suspended in its group'
  const requested = requestedOf(draft)
  // Its group goes on trying by itself: asking for more would tell nothing.
  const isLate = nowMs - (memory.asked?.atMs ?? -Infinity) > LATE_MS
  if (requested > 0 && isLate && Object.keys(memory.backoff).length > 0) {
    return `launches fail, and ${counted(requested, 'machine')} were asked for`
  }
  return backoffReason(memory, nowMs)
}

/** A machine that is launched is in the list of its group by then. */
const LATE_MS = 60_000
