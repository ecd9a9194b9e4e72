/**
 * The client side of the engine: runs what the scheduler placed, and reports what became of it.
 *
 * One of these serves all nodes: they are one process and one machine anyway.
 */
import { sleep } from '../../../platform/index.ts'
import type { Clock, Log, RandomSource, Timer } from '../../../platform/index.ts'
import { isClientTerminal } from '../objects/allocation.ts'
import type { Allocation } from '../objects/allocation.ts'
import { createEvaluation } from '../objects/evaluation.ts'
import { toNanoseconds } from '../objects/values.ts'
import { nextReschedule } from '../scheduling/reschedule.ts'
import { toTaskKey } from '../state/rows.ts'
import type { RowChange, TaskHandle, Write } from '../state/rows.ts'
import type { State } from '../state/state.ts'
import { AllocationRunner } from './allocation-runner.ts'
import type { ClientUpdate, RunnerDeps } from './allocation-runner.ts'
import type { Driver } from './driver.ts'
import { FinishedAllocations } from './finished.ts'
import { hasFolders } from './folders.ts'
import { isRunning } from './processes.ts'
import type { Sweeper } from './sweeper.ts'

export interface ClientDeps {
  state: State
  clock: Clock
  random: RandomSource
  log: Log
  dataDir: string
  /** What tasks inherit from the engine's own process. */
  host: Readonly<Record<string, string | undefined>>
  /** @returns undefined when the node has no such driver. */
  driverFor: (nodeId: string, driver: string) => Driver | undefined
  sweeper: Sweeper
}

/** Nomad's client gathers news for this long; what changes no status can wait here too. */
const REPORT_MS = 200

/** Often enough that a task writing 10 MB a second stays within one file too many. */
const ROTATE_MS = 1000

/** Grace for tasks when the whole engine goes: `caravan dev` promises to be gone in five seconds. */
const CLOSE_KILL_MS = 2000
const CLOSE_WAIT_MS = 4000

export class Client {
  readonly #deps: ClientDeps
  readonly #runners = new Map<string, AllocationRunner>()
  readonly #updates = new Map<string, ClientUpdate>()
  readonly #finished: FinishedAllocations
  #isFlushing = false
  #reportTimer: Timer | null = null
  #rotateTimer: Timer | null = null
  #closed = false

  constructor(deps: ClientDeps) {
    this.#deps = deps
    this.#finished = new FinishedAllocations(deps.dataDir, deps.log)
    deps.state.onCommit((commit) => {
      for (const change of commit.changes) this.#note(change)
    })
  }

  /** Takes up what the state says should run, once the nodes are there. */
  start(): void {
    const { allocation } = this.#deps.state.tables
    const byAge = [...allocation.rows.values()].sort((a, b) => a.ModifyTime - b.ModifyTime)
    for (const each of byAge) {
      if (!isClientTerminal(each)) this.#adopt(each)
      else if (hasFolders(this.#deps.dataDir, each.ID)) this.#finished.add(each.ID)
    }
    this.#endStrays()
    this.#rotate()
  }

  runner(allocationId: string): AllocationRunner | undefined {
    return this.#runners.get(allocationId)
  }

  /** Leaves real tasks running when they are not to be stopped; the next engine finds them. */
  async close(options: { stopTasks: boolean }): Promise<void> {
    const runners = [...this.#runners.values()]
    if (options.stopTasks) {
      for (const each of runners) each.stop({ noDelay: true, timeoutMaxMs: CLOSE_KILL_MS })
      const allDone = Promise.all(runners.map((each) => each.done))
      const abort = new AbortController()
      await Promise.race([allDone, sleep(this.#deps.clock, CLOSE_WAIT_MS, abort.signal)])
      abort.abort()
      for (const handle of this.#deps.state.tables.task.rows.values()) this.#sweep(handle)
      this.#deps.sweeper.finish()
    }
    for (const each of runners) each.detach()
    this.#flush()
    this.#closed = true
    await this.#finished.close()
    this.#reportTimer?.cancel()
    this.#rotateTimer?.cancel()
  }

  #note(change: RowChange): void {
    if (this.#closed) return
    if (change.table === 'node' && change.after === undefined) this.#loseNode(change.key)
    if (change.table !== 'allocation') return
    const { after } = change
    const runner = this.#runners.get(change.key)
    if (after === undefined) {
      this.#runners.delete(change.key)
      if (change.before) this.#finished.remove(change.key)
    } else if (after.DesiredStatus !== 'run' || after.ClientStatus === 'lost') {
      const { NoShutdownDelay } = after.DesiredTransition
      runner?.stop(NoShutdownDelay ? { noDelay: true } : {})
    } else if (runner === undefined) {
      this.#adopt(after)
    }
  }

  /** Starts what is new, finds again what an earlier process started. */
  #adopt(allocation: Allocation): void {
    if (isClientTerminal(allocation) || this.#runners.has(allocation.ID)) return
    const { state, log } = this.#deps
    const node = state.tables.node.get(allocation.NodeID)
    if (node === undefined) return
    try {
      const runner = new AllocationRunner(this.#runnerDeps(allocation), allocation, node)
      this.#runners.set(allocation.ID, runner)
      if (allocation.DesiredStatus !== 'run') runner.stop()
      void runner.done.then(() => this.#settle(allocation.ID, runner))
    } catch (cause) {
      log.error('allocation could not be started', { allocation: allocation.ID, cause })
    }
  }

  #runnerDeps(allocation: Allocation): RunnerDeps {
    const { state, driverFor } = this.#deps
    const keep = (write: Write) => void state.commit('Internal', [write])
    return {
      ...this.#deps,
      driverFor: (name) => driverFor(allocation.NodeID, name),
      handleOf: (id, task) => state.tables.task.get(toTaskKey({ allocation: id, task })),
      remember: (put) => keep({ table: 'task', key: toTaskKey(put), put }),
      forget: (id, task) =>
        keep({ table: 'task', key: toTaskKey({ allocation: id, task }), drop: true }),
      report: (id, update) => this.#report(id, update),
    }
  }

  /** Tasks of allocations that were over before their processes were, when the engine was killed. */
  #endStrays(): void {
    const { state } = this.#deps
    for (const [key, handle] of state.tables.task.rows) {
      if (this.#runners.has(handle.allocation)) continue
      this.#sweep(handle)
      state.commit('Internal', [{ table: 'task', key, drop: true }])
    }
  }

  #sweep(handle: TaskHandle): void {
    const session = isRunning(handle.pid, handle.startTime) ? handle.pid : null
    this.#deps.sweeper.sweep({ ...handle, session })
  }

  /** The machine is gone, and everything on it. */
  #loseNode(nodeId: string): void {
    for (const runner of this.#runners.values()) {
      if (runner.allocation.NodeID === nodeId) runner.stop({ noDelay: true, timeoutMaxMs: 0 })
    }
  }

  /** A runner is kept until its last word has been written. */
  #settle(id: string, runner: AllocationRunner): void {
    queueMicrotask(() => {
      this.#flush()
      if (this.#runners.get(id) !== runner || this.#closed) return
      this.#runners.delete(id)
      if (runner.hasFiles) this.#finished.add(id)
    })
  }

  #report(id: string, update: ClientUpdate): void {
    if (this.#closed) return
    this.#updates.set(id, update)
    const known = this.#deps.state.tables.allocation.get(id)
    if (known?.ClientStatus === update.ClientStatus) {
      this.#reportTimer ??= this.#deps.clock.after(REPORT_MS, () => this.#flush()).unref()
      return
    }
    if (this.#isFlushing) return
    this.#isFlushing = true
    queueMicrotask(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  #flush(): void {
    this.#reportTimer?.cancel()
    this.#reportTimer = null
    if (this.#updates.size === 0 || this.#closed) return
    const { state, clock } = this.#deps
    const updates = [...this.#updates]
    this.#updates.clear()
    const ModifyTime = toNanoseconds(clock.now())
    const writes: Write[] = []
    const nodes = new Set<string>()
    for (const [id, update] of updates) {
      const known = state.tables.allocation.get(id)
      // What the server has given up as lost stays so, whatever its client says later.
      if (known === undefined || known.ClientStatus === 'lost') continue
      writes.push({ table: 'allocation', key: id, patch: { ...update, ModifyTime } })
      writes.push(...this.#followFailure(known, { ...known, ...update, ModifyTime }))
      nodes.add(known.NodeID)
    }
    if (writes.length === 0) return
    for (const key of nodes) {
      const ModifyIndex = state.tables.node.get(key)?.ModifyIndex
      if (ModifyIndex === undefined) continue
      const patch = { LastAllocUpdateIndex: state.index + 1, ModifyIndex }
      writes.push({ table: 'node', key, patch })
    }
    state.commit('AllocationUpdated', writes)
  }

  /** A new look at the job, when what ended is to be placed again. */
  #followFailure(before: Allocation, after: Allocation): Write[] {
    const { clock, random } = this.#deps
    const ended = isClientTerminal(after) && !isClientTerminal(before)
    if (!ended || after.DesiredStatus !== 'run') return []
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

  #rotate(): void {
    for (const runner of this.#runners.values()) runner.rotateLogs()
    if (this.#closed) return
    this.#rotateTimer = this.#deps.clock.after(ROTATE_MS, () => this.#rotate()).unref()
  }
}
