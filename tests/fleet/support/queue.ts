/** A scheduler with its queue, as far as the fleet feels it: slices are placed, run, report and end. */
import type { Demand, DemandSource, Room } from '../../../src/fleet/index.ts'
import type { Clock } from '../../../src/platform/index.ts'
import type { FakeNomad } from './nomad.ts'
import { MEDIUM } from './views.ts'

export interface Slice {
  id: string
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
  #count = 0
  #changed = Promise.withResolvers<void>()

  constructor(nomad: FakeNomad, clock: Clock) {
    this.#nomad = nomad
    this.#clock = clock
    this.#round()
  }

  async *changes(signal: AbortSignal): AsyncGenerator {
    while (!signal.aborted) {
      this.#changed = Promise.withResolvers()
      const ends = new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
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
    const all = [...this.slices.values()]
    const isPlaced = ({ nodeId, allocation }: Slice) =>
      nodeId !== null && (allocation !== null || !this.hearsLate)
    const waiting = all.filter((slice) => !isPlaced(slice))
    const nowMs = this.#clock.monotonic()
    const byClass = Map.groupBy(
      waiting,
      ({ need, pool }) => `${pool} ${need.cpuMhz} ${need.memoryMiB}`,
    )
    return {
      classes: [...byClass].map(([name, slices]) => ({
        name,
        pool: slices[0]?.pool ?? null,
        standIns: this.standIns,
        need: slices[0]?.need ?? MEDIUM,
        waiting: slices.length,
        oldestMs: Math.max(...slices.map(({ waitingSinceMs }) => nowMs - waitingSinceMs)),
      })),
      placed: all
        .filter(isPlaced)
        .flatMap(({ id, nodeId, need, startedMs, durationMs }) =>
          nodeId === null
            ? []
            : [{ slice: id, nodeId, need, remainingMs: startedMs + durationMs - nowMs }],
        ),
    }
  }

  /** The node is gone: its slices begin again. @returns those that ran. */
  lose(nodeId: string): Slice[] {
    const lost = [...this.slices.values()].filter((slice) => slice.nodeId === nodeId)
    for (const slice of lost) {
      slice.lost += 1
      this.onNews(`${slice.id} is lost with its node`)
      Object.assign(slice, { nodeId: null, allocation: null })
    }
    return lost
  }

  #round(): void {
    const waiting = [...this.slices.values()].filter(({ nodeId }) => nodeId === null)
    if (waiting.length > 0) {
      const rooms = this.#rooms()
      for (const slice of waiting) this.#place(slice, rooms)
    }
    this.#clock.after(ROUND_MS, () => this.#round())
  }

  /** What is free on nodes that take slices, by node id. */
  #rooms(): Map<string, Place> {
    const rooms = new Map<string, Place>()
    for (const node of this.#nomad.nodes.values()) {
      if (node.Status !== 'ready' || node.SchedulingEligibility !== 'eligible') continue
      const { Cpu, Memory } = node.NodeResources ?? {}
      rooms.set(node.ID, {
        cpuMhz: Cpu?.CpuShares ?? 0,
        memoryMiB: Memory?.MemoryMB ?? 0,
        nodeClass: node.NodeClass,
      })
    }
    for (const { nodeId, need } of this.slices.values()) {
      const room = rooms.get(nodeId ?? '')
      if (room !== undefined) take(room, need)
    }
    return rooms
  }

  #place(slice: Slice, rooms: ReadonlyMap<string, Place>): void {
    for (const [nodeId, room] of rooms) {
      if (room.nodeClass !== classOf(slice.pool)) continue
      if (room.cpuMhz < slice.need.cpuMhz || room.memoryMiB < slice.need.memoryMiB) continue
      take(room, slice.need)
      slice.nodeId = nodeId
      slice.places += 1
      const { places } = slice
      this.#clock.after(this.writeMs(), () => this.#start(slice, nodeId, places))
      return
    }
  }

  #start(slice: Slice, nodeId: string, place: number): void {
    const node = this.#nomad.nodes.get(nodeId)
    if (slice.nodeId !== nodeId || slice.places !== place) return
    if (node === undefined || node.Status !== 'ready') {
      slice.nodeId = null
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
      if (slice.allocation !== allocation || !this.slices.delete(slice.id)) return
      this.done += 1
    })
  }
}

/** Of the nodes of a pool; one that stands in for the first takes the same slices. */
export function classOf(pool: string): string {
  return pool === 'linux' || pool === 'spare' ? 'linux-64bit' : pool
}

interface Place extends Room {
  nodeClass: string
}

function take(room: Room, need: Room): void {
  room.cpuMhz -= need.cpuMhz
  room.memoryMiB -= need.memoryMiB
}
