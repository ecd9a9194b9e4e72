/** A scheduler with its queue, as far as the fleet feels it: slices are placed, run, report and end. */
import type { Demand, DemandSource, Room } from '../../../src/fleet/index.ts'
import type { NomadNode } from '../../../src/nomad/index.ts'
import type { Clock } from '../../../src/platform/index.ts'
import type { FakeNomad } from './nomad.ts'
import { MEDIUM } from './views.ts'

export interface Slice {
  id: string
  /** Older ones have a lower one. */
  number: number
  need: Room
  pool: string
  durationMs: number
  waitingSinceMs: number
  nodeId: string | null
  allocation: string | null
  startedMs: number
  /** Times that a place was found for it: what was begun for an older one comes to nothing. */
  places: number
  /** Its node went away under it so often. */
  lost: number
}

/** Nothing waits, and nothing ever changes. */
export const NO_DEMAND: DemandSource = {
  read: async () => ({ classes: [], placed: [] }),
  async *changes(signal) {
    if (signal.aborted) return
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    yield null
  },
}

const ROUND_MS = 1000
/** Of the agent's last report, after the allocation has ended. */
const REPORT_MS = 300

export class Queue implements DemandSource {
  readonly slices = new Map<string, Slice>()
  done = 0
  isSilent = false
  /** Pools that may grow for it besides. */
  standIns: string[] = []
  /** From the plan to its place in Nomad's state: a cordon in between does not stop it. */
  writeMs: () => number = () => 400
  /** Whether the scheduler hears of a placement only when Nomad has written it. */
  hearsLate = false
  /** Told what becomes of slices, for who follows them. */
  onNews: (text: string) => void = () => undefined
  readonly #nomad: FakeNomad
  readonly #clock: Clock
  /** By node id: those that have their place there, and what is free beside them. */
  readonly #onNode = new Map<string, Place>()
  #count = 0
  /** Of the slices, those that have a place. */
  #placed = 0
  #changed = Promise.withResolvers<void>()

  constructor(nomad: FakeNomad, clock: Clock) {
    this.#nomad = nomad
    this.#clock = clock
    this.#round()
  }

  async *changes(signal: AbortSignal): AsyncGenerator {
    const ends = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    while (!signal.aborted) {
      this.#changed = Promise.withResolvers()
      await Promise.race([this.#changed.promise, ends])
      yield null
    }
  }

  add(
    count: number,
    durationMs: number | (() => number),
    need: Room = MEDIUM,
    pool = 'linux',
  ): void {
    for (let at = 0; at < count; at++) {
      this.#count += 1
      const id = `slice-${this.#count}`
      this.slices.set(id, {
        id,
        number: this.#count,
        need,
        pool,
        places: 0,
        nodeId: null,
        allocation: null,
        startedMs: 0,
        lost: 0,
        durationMs: typeof durationMs === 'number' ? durationMs : durationMs(),
        waitingSinceMs: this.#clock.monotonic(),
      })
    }
    this.#changed.resolve()
  }

  async read(): Promise<Demand> {
    if (this.isSilent) throw new Error('the scheduler does not answer')
    const waiting: Slice[] = []
    const placed: Demand['placed'] = []
    const nowMs = this.#clock.monotonic()
    for (const slice of this.slices.values()) {
      const { id, nodeId, allocation, need, startedMs, durationMs } = slice
      if (nodeId === null || (allocation === null && this.hearsLate)) waiting.push(slice)
      else placed.push({ slice: id, nodeId, need, remainingMs: startedMs + durationMs - nowMs })
    }
    const classes = [...Map.groupBy(waiting, keyOf)].map(([name, slices]) => ({
      name,
      pool: slices[0]?.pool ?? null,
      standIns: this.standIns,
      need: slices[0]?.need ?? MEDIUM,
      waiting: slices.length,
      oldestMs: Math.max(...slices.map(({ waitingSinceMs }) => nowMs - waitingSinceMs)),
    }))
    return { classes, placed }
  }

  /** The node is gone: its slices begin again. @returns those that ran. */
  lose(nodeId: string): Slice[] {
    const slices = this.#onNode.get(nodeId)?.slices ?? []
    const lost = [...slices].sort((a, b) => a.number - b.number)
    for (const slice of lost) {
      slice.lost += 1
      this.onNews(`${slice.id} is lost with its node`)
      this.#put(slice, null)
      slice.allocation = null
    }
    this.#onNode.delete(nodeId)
    return lost
  }

  /** It is over for the scheduler, whatever runs of it. */
  drop(slice: Slice): boolean {
    this.#put(slice, null)
    return this.slices.delete(slice.id)
  }

  #put(slice: Slice, node: NomadNode | null): void {
    const before = this.#onNode.get(slice.nodeId ?? '')
    if (before?.slices.delete(slice)) move(before, slice.need, 1)
    if (slice.nodeId !== null) this.#placed -= 1
    slice.nodeId = node?.ID ?? null
    if (node === null) return
    this.#placed += 1
    const place = this.#placeOn(node)
    place.slices.add(slice)
    move(place, slice.need, -1)
  }

  #placeOn({ ID, NodeResources }: NomadNode): Place {
    const known = this.#onNode.get(ID)
    if (known !== undefined) return known
    const cpuMhz = NodeResources?.Cpu?.CpuShares ?? 0
    const memoryMiB = NodeResources?.Memory?.MemoryMB ?? 0
    const place = { cpuMhz, memoryMiB, slices: new Set<Slice>() }
    this.#onNode.set(ID, place)
    return place
  }

  #round(): void {
    if (this.slices.size > this.#placed) {
      const waiting = [...this.slices.values()].filter(({ nodeId }) => nodeId === null)
      const nodes = [...this.#nomad.nodes.values()].filter(
        ({ Status, SchedulingEligibility }) =>
          Status === 'ready' && SchedulingEligibility === 'eligible',
      )
      // Rooms only become smaller within a round: what had none for one slice has none for the next like it.
      const from = new Map<string, number>()
      for (const slice of waiting) this.#place(slice, nodes, from)
    }
    this.#clock.after(ROUND_MS, () => this.#round())
  }

  /** @param from by kind of slice: the first of the nodes that may have room for it. */
  #place(slice: Slice, nodes: readonly NomadNode[], from: Map<string, number>): void {
    const key = keyOf(slice)
    const nodeClass = classOf(slice.pool)
    let at = from.get(key) ?? 0
    let node = nodes[at]
    while (node !== undefined && !this.#hasRoom(node, nodeClass, slice.need)) node = nodes[++at]
    from.set(key, at)
    if (node === undefined) return
    const { ID } = node
    this.#put(slice, node)
    slice.places += 1
    const { places } = slice
    this.#clock.after(this.writeMs(), () => this.#start(slice, ID, places))
  }

  #hasRoom(node: NomadNode, nodeClass: string, need: Room): boolean {
    if (node.NodeClass !== nodeClass) return false
    const { cpuMhz, memoryMiB } = this.#placeOn(node)
    return cpuMhz >= need.cpuMhz && memoryMiB >= need.memoryMiB
  }

  #start(slice: Slice, nodeId: string, place: number): void {
    const node = this.#nomad.nodes.get(nodeId)
    if (slice.nodeId !== nodeId || slice.places !== place) return
    if (node === undefined || node.Status !== 'ready') {
      this.#put(slice, null)
      return
    }
    const { ID } = this.#nomad.run(node, slice.id)
    this.onNews(`${slice.id} starts on ${node.Name}, for ${Math.round(slice.durationMs / 1000)} s`)
    slice.allocation = ID
    slice.startedMs = this.#clock.monotonic()
    this.#clock.after(slice.durationMs, () => this.#end(slice, ID))
  }

  #end(slice: Slice, allocation: string): void {
    if (slice.allocation !== allocation) return
    this.onNews(`${slice.id} ends`)
    this.#nomad.finish(allocation)
    this.#clock.after(REPORT_MS, () => {
      if (slice.allocation === allocation && this.drop(slice)) this.done += 1
    })
  }
}

/** Of the nodes of a pool; one that stands in for the first takes the same slices. */
export function classOf(pool: string): string {
  return pool === 'linux' || pool === 'spare' ? 'linux-64bit' : pool
}

interface Place extends Room {
  slices: Set<Slice>
}

function move(place: Place, { cpuMhz, memoryMiB }: Room, sign: 1 | -1): void {
  place.cpuMhz += sign * cpuMhz
  place.memoryMiB += sign * memoryMiB
}

/** Slices with the same one want the same. */
function keyOf({ pool, need }: Slice): string {
  return `${pool} ${need.cpuMhz} ${need.memoryMiB}`
}
