/** A scheduler with its queue, as far as the fleet feels it: slices are placed, run, report and end. */
import type { Demand, DemandSource, Room } from '../../../src/fleet/index.ts'
import type { Clock } from '../../../src/platform/index.ts'
import type { FakeNomad } from './nomad.ts'
import { MEDIUM } from './views.ts'

export interface Slice {
  id: string
  need: Room
  durationMs: number
  waitingSinceMs: number
  nodeId: string | null
  allocation: string | null
  startedMs: number
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

/** From the plan to its place in Nomad's state: a cordon in between does not stop it. */
const WRITE_MS = 400
const ROUND_MS = 1000
/** Of the agent's last report, after the allocation has ended. */
const REPORT_MS = 300

export class Queue implements DemandSource {
  readonly slices = new Map<string, Slice>()
  done = 0
  isSilent = false
  /** Pools that may grow for it besides. */
  standIns: string[] = []
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

  add(count: number, durationMs: number | (() => number), need: Room = MEDIUM): void {
    for (let at = 0; at < count; at++) {
      this.#count += 1
      const id = `slice-${this.#count}`
      this.slices.set(id, {
        id,
        need,
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
    const waiting = all.filter(({ nodeId }) => nodeId === null)
    const nowMs = this.#clock.monotonic()
    const byNeed = Map.groupBy(waiting, ({ need }) => `${need.cpuMhz} ${need.memoryMiB}`)
    return {
      classes: [...byNeed].map(([name, slices]) => ({
        name,
        pool: 'linux',
        standIns: this.standIns,
        need: slices[0]?.need ?? MEDIUM,
        waiting: slices.length,
        oldestMs: Math.max(...slices.map(({ waitingSinceMs }) => nowMs - waitingSinceMs)),
      })),
      placed: all.flatMap(({ id, nodeId, need, startedMs, durationMs }) =>
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
  #rooms(): Map<string, Room> {
    const rooms = new Map<string, Room>()
    for (const node of this.#nomad.nodes.values()) {
      if (node.Status !== 'ready' || node.SchedulingEligibility !== 'eligible') continue
      const { Cpu, Memory } = node.NodeResources ?? {}
      rooms.set(node.ID, { cpuMhz: Cpu?.CpuShares ?? 0, memoryMiB: Memory?.MemoryMB ?? 0 })
    }
    for (const { nodeId, need } of this.slices.values()) {
      const room = rooms.get(nodeId ?? '')
      if (room !== undefined) take(room, need)
    }
    return rooms
  }

  #place(slice: Slice, rooms: ReadonlyMap<string, Room>): void {
    for (const [nodeId, room] of rooms) {
      if (room.cpuMhz < slice.need.cpuMhz || room.memoryMiB < slice.need.memoryMiB) continue
      take(room, slice.need)
      slice.nodeId = nodeId
      this.#clock.after(WRITE_MS, () => this.#start(slice, nodeId))
      return
    }
  }

  #start(slice: Slice, nodeId: string): void {
    const node = this.#nomad.nodes.get(nodeId)
    if (slice.nodeId !== nodeId) return
    if (node === undefined || node.Status !== 'ready') {
      slice.nodeId = null
      return
    }
    const { ID } = this.#nomad.run(node, slice.id)
    slice.allocation = ID
    slice.startedMs = this.#clock.monotonic()
    this.#clock.after(slice.durationMs, () => this.#end(slice, ID))
  }

  #end(slice: Slice, allocation: string): void {
    if (slice.allocation !== allocation) return
    this.#nomad.finish(allocation)
    this.#clock.after(REPORT_MS, () => {
      if (slice.allocation !== allocation || !this.slices.delete(slice.id)) return
      this.done += 1
    })
  }
}

function take(room: Room, need: Room): void {
  room.cpuMhz -= need.cpuMhz
  room.memoryMiB -= need.memoryMiB
}
