/**
 * Tells the server what became of allocations.
 *
 * News of one turn goes in one commit, and what changes no status waits a little for company. A node
 * that is cut off keeps its news until it is back.
 */
import type { Clock, RandomSource, Timer } from '../../../platform/index.ts'
import { isClientTerminal } from '../objects/allocation.ts'
import type { Allocation } from '../objects/allocation.ts'
import { createEvaluation } from '../objects/evaluation.ts'
import { toNanoseconds } from '../objects/values.ts'
import { nextReschedule } from '../scheduling/reschedule.ts'
import { toTaskKey } from '../state/rows.ts'
import type { TaskHandle, Write } from '../state/rows.ts'
import type { State } from '../state/state.ts'

/** What the client may say about an allocation. */
export type ClientUpdate = Pick<Allocation, 'ClientStatus' | 'ClientDescription' | 'TaskStates'>

/** Nomad's client gathers news for this long. */
const GATHER_MS = 200

export interface ReporterDeps {
  state: State
  clock: Clock
  random: RandomSource
}

export class Reporter {
  readonly #deps: ReporterDeps
  readonly #updates = new Map<string, ClientUpdate>()
  /** Handles of starts that ended, dropped with the news of the end: not before, not without. */
  readonly #ended = new Map<string, TaskHandle>()
  #isDue = false
  #timer: Timer | null = null
  #closed = false

  constructor(deps: ReporterDeps) {
    this.#deps = deps
  }

  report(id: string, update: ClientUpdate): void {
    if (this.#closed) return
    this.#updates.set(id, update)
    const known = this.#deps.state.tables.allocation.get(id)
    if (known?.ClientStatus === update.ClientStatus) {
      this.#timer ??= this.#deps.clock.after(GATHER_MS, () => this.flush()).unref()
    } else this.flushSoon()
  }

  /** A task was started: recorded at once, before it is let go. */
  noteStart(handle: TaskHandle): void {
    const key = toTaskKey(handle)
    this.#ended.delete(key)
    this.#deps.state.commit('Internal', [{ table: 'task', key, put: handle }])
  }

  noteEnd(id: { allocation: string; task: string }): void {
    const key = toTaskKey(id)
    const handle = this.#deps.state.tables.task.get(key)
    if (handle) this.#ended.set(key, handle)
  }

  flushSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      this.flush()
    })
  }

  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#closed) return
    const { state, clock } = this.#deps
    const ModifyTime = toNanoseconds(clock.now())
    const writes: Write[] = []
    const nodes = new Set<string>()
    for (const [id, update] of this.#updates) {
      const known = state.tables.allocation.get(id)
      if (known && state.tables.node.get(known.NodeID)?.Status === 'down') continue
      this.#updates.delete(id)
      writes.push(...this.#dropHandles(id))
      // What the server has given up as lost stays so, whatever its client says later.
      if (known === undefined || known.ClientStatus === 'lost') continue
      writes.push({ table: 'allocation', key: id, patch: { ...update, ModifyTime } })
      writes.push(...this.#followEnd(known, { ...known, ...update, ModifyTime }))
      nodes.add(known.NodeID)
    }
    for (const key of nodes) {
      const ModifyIndex = state.tables.node.get(key)?.ModifyIndex
      if (ModifyIndex === undefined) continue
      const patch = { LastAllocUpdateIndex: state.index + 1, ModifyIndex }
      writes.push({ table: 'node', key, patch })
    }
    if (writes.length > 0) state.commit('AllocationUpdated', writes)
  }

  /** Nothing is told any more. */
  close(): void {
    this.#timer?.cancel()
    this.#closed = true
  }

  #dropHandles(allocationId: string): Write[] {
    const keys = [...this.#ended]
      .filter(([, handle]) => handle.allocation === allocationId)
      .map(([key]) => key)
    for (const key of keys) this.#ended.delete(key)
    return keys.map((key) => ({ table: 'task', key, drop: true }))
  }

  /** A new look at the job, when what ended is to be placed again. */
  #followEnd(before: Allocation, after: Allocation): Write[] {
    const { clock, random } = this.#deps
    const isEnd = isClientTerminal(after) && !isClientTerminal(before)
    if (!isEnd || after.DesiredStatus !== 'run') return []
    const { Type } = after.Job
    const isFollowed =
      Type === 'batch'
        ? after.ClientStatus === 'failed' && nextReschedule(after, clock.now()).when === 'at'
        : Type === 'service' || Type === 'system'
    if (!isFollowed) return []
    const context = { nowMs: clock.now(), random }
    const put = createEvaluation(after.Job, 'alloc-failure', context)
    return [{ table: 'evaluation', key: put.ID, put }]
  }
}
