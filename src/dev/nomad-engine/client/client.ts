/**
 * The client side of the engine: runs what the scheduler placed, and reports what became of it.
 *
 * One of these serves all nodes: they are one process and one machine anyway.
 */
import { sleep } from '../../../platform/index.ts'
import type { Clock, Log, RandomSource, Timer } from '../../../platform/index.ts'
import { isClientTerminal } from '../objects/allocation.ts'
import type { Allocation } from '../objects/allocation.ts'
import type { Node } from '../objects/node.ts'
import { toTaskKey } from '../state/rows.ts'
import type { RowChange, TaskHandle } from '../state/rows.ts'
import type { State } from '../state/state.ts'
import { AllocationRunner } from './allocation-runner.ts'
import type { RunnerDeps } from './allocation-runner.ts'
import type { Driver } from './driver.ts'
import { FinishedAllocations } from './finished.ts'
import { hasFolders } from './folders.ts'
import { isRunning } from './processes.ts'
import { Reporter } from './reporter.ts'
import type { Sweeper } from './sweeper.ts'

export interface ClientDeps {
  state: State
  clock: Clock
  random: RandomSource
  log: Log
  dataDir: string
  /** What tasks inherit from the engine's own process. */
  host: Readonly<Record<string, string | undefined>>
  driverFor: (nodeId: string, driver: string) => Driver
  sweeper: Sweeper
}

/** Often enough that a task writing 10 MB a second stays within one file too many. */
const ROTATE_MS = 1000

/** Grace for tasks when the whole engine goes: `caravan dev` promises to be gone in five seconds. */
const CLOSE_KILL_MS = 1000
const CLOSE_WAIT_MS = 3000

export class Client {
  readonly #deps: ClientDeps
  readonly #reporter: Reporter
  readonly #finished: FinishedAllocations
  readonly #runners = new Map<string, AllocationRunner>()
  #rotateTimer: Timer | null = null
  #closed = false

  constructor(deps: ClientDeps) {
    this.#deps = deps
    this.#reporter = new Reporter(deps)
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
      // Simulated ones have nothing to leave behind, and their clock may stand still.
      const real = runners.filter((each) => each.hasFiles)
      const allDone = Promise.all(real.map((each) => each.done))
      const abort = new AbortController()
      await Promise.race([allDone, sleep(this.#deps.clock, CLOSE_WAIT_MS, abort.signal)])
      abort.abort()
      for (const handle of this.#deps.state.tables.task.rows.values()) this.#sweep(handle)
      this.#deps.sweeper.finish()
    }
    for (const each of runners) each.detach()
    this.#reporter.flush()
    this.#reporter.close()
    this.#closed = true
    this.#rotateTimer?.cancel()
    await this.#finished.close()
  }

  #note(change: RowChange): void {
    if (this.#closed) return
    if (change.table === 'node') this.#noteNode(change.key, change.before, change.after)
    if (change.table !== 'allocation') return
    const { after } = change
    if (after === undefined) {
      this.#runners.delete(change.key)
      this.#finished.remove(change.key)
      return
    }
    // A node that is cut off hears nothing; it is told when it is back.
    if (!this.#isReachable(after.NodeID)) return
    const runner = this.#runners.get(change.key)
    if (runner === undefined) this.#adopt(after)
    else if (!isWanted(after)) {
      runner.stop({ noDelay: after.DesiredTransition.NoShutdownDelay === true })
    }
  }

  #noteNode(nodeId: string, before: Node | undefined, after: Node | undefined): void {
    const isBack = before?.Status === 'down' && after !== undefined && after.Status !== 'down'
    if (after !== undefined && !isBack) return
    for (const [id, runner] of this.#runners) {
      if (runner.allocation.NodeID !== nodeId) continue
      const known = this.#deps.state.tables.allocation.get(id)
      // A purged node is a machine that is gone, and everything on it.
      if (after === undefined) runner.stop({ noDelay: true, timeoutMaxMs: 0 })
      else if (known === undefined || !isWanted(known)) runner.stop()
    }
    this.#reporter.flushSoon()
  }

  #isReachable(nodeId: string): boolean {
    const node = this.#deps.state.tables.node.get(nodeId)
    return node !== undefined && node.Status !== 'down'
  }

  /** Starts what is new, finds again what an earlier process started. */
  #adopt(allocation: Allocation): void {
    const { state, log } = this.#deps
    const node = state.tables.node.get(allocation.NodeID)
    if (isClientTerminal(allocation) || node === undefined) return
    try {
      const runner = new AllocationRunner(this.#runnerDeps(allocation), allocation, node)
      this.#runners.set(allocation.ID, runner)
      if (!isWanted(allocation)) runner.stop()
      void runner.done.then(() => this.#settle(allocation.ID, runner))
    } catch (cause) {
      log.error('allocation could not be started', { allocation: allocation.ID, cause })
    }
  }

  #runnerDeps({ NodeID }: Allocation): RunnerDeps {
    const { state, driverFor } = this.#deps
    return {
      ...this.#deps,
      driverFor: (name) => driverFor(NodeID, name),
      handleOf: (allocation, task) => state.tables.task.get(toTaskKey({ allocation, task })),
      remember: (handle) => this.#reporter.noteStart(handle),
      forget: (allocation, task) => this.#reporter.noteEnd({ allocation, task }),
      report: (id, update) => this.#reporter.report(id, update),
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

  /** A runner is kept until its last word has been written. */
  #settle(id: string, runner: AllocationRunner): void {
    queueMicrotask(() => {
      this.#reporter.flush()
      if (this.#runners.get(id) !== runner || this.#closed) return
      this.#runners.delete(id)
      if (runner.hasFiles) this.#finished.add(id)
    })
  }

  #rotate(): void {
    for (const runner of this.#runners.values()) runner.rotateLogs()
    if (this.#closed) return
    this.#rotateTimer = this.#deps.clock.after(ROTATE_MS, () => this.#rotate()).unref()
  }
}

/** Whether the server still wants it to run. */
function isWanted(allocation: Allocation): boolean {
  return allocation.DesiredStatus === 'run' && allocation.ClientStatus !== 'lost'
}
