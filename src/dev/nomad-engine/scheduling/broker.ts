/**
 * Carries evaluations out: takes the pending ones by priority, plans, commits, and wakes blocked ones
 * when room comes free.
 */
import type { Clock, Log, RandomSource, Timer } from '../../../platform/index.ts'
import { isClientTerminal } from '../objects/allocation.ts'
import type { Evaluation } from '../objects/evaluation.ts'
import { isPlaceable } from '../objects/node.ts'
import { toNanoseconds } from '../objects/values.ts'
import { SETTING_KEY } from '../state/rows.ts'
import type { Commit, RowChange, SchedulerConfiguration } from '../state/rows.ts'
import type { State } from '../state/state.ts'
import { Candidates } from './candidates.ts'
import { makePlan } from './plan.ts'
import { pickUnblocked } from './unblock.ts'

export interface BrokerDeps {
  state: State
  clock: Clock
  random: RandomSource
  log: Log
}

/** Evaluations planned before sockets and timers get their turn: a few milliseconds of work. */
const BURST_MAX = 64

export class Broker {
  readonly #deps: BrokerDeps
  readonly #candidates = new Candidates()
  /** Ids by priority, oldest first. */
  readonly #ready = new Map<number, string[]>()
  readonly #waiting = new Map<string, Timer>()
  readonly #withRoom = new Set<string>()
  #scheduled = false
  #isOpen = false

  constructor(deps: BrokerDeps) {
    this.#deps = deps
    deps.state.onCommit((commit) => this.#note(commit))
  }

  /** Begins with what an earlier process left undone. */
  start(): void {
    this.#isOpen = true
    for (const id of this.#deps.state.indexes.pending) this.#enqueue(id)
  }

  close(): void {
    this.#isOpen = false
    for (const timer of this.#waiting.values()) timer.cancel()
    this.#waiting.clear()
  }

  /** What waits, for the metrics. */
  counts(): { ready: number; waiting: number } {
    const ready = [...this.#ready.values()].reduce((total, ids) => total + ids.length, 0)
    return { ready, waiting: this.#waiting.size }
  }

  #note(commit: Commit): void {
    if (!this.#isOpen) return
    for (const change of commit.changes) this.#noteChange(change)
  }

  #noteChange(change: RowChange): void {
    const { state } = this.#deps
    if (change.table === 'evaluation') {
      const { before, after } = change
      if (after?.Status === 'pending' && before?.Status !== 'pending') this.#enqueue(after.ID)
      if (after?.Status !== 'pending') this.#stopWaiting(change.key)
    } else if (change.table === 'allocation') {
      const { before, after } = change
      const isFreed = before && !isClientTerminal(before) && (!after || isClientTerminal(after))
      if (isFreed && state.indexes.blocked.size > 0) this.#offer(before.NodeID)
    } else if (change.table === 'node') {
      const { before, after } = change
      const joins = after && isPlaceable(after) && !(before && isPlaceable(before))
      if (joins && state.indexes.blocked.size > 0) this.#offer(after.ID)
    } else if (change.table === 'setting' && change.before?.PauseEvalBroker) {
      this.#schedule()
    }
  }

  #enqueue(id: string): void {
    const { state, clock } = this.#deps
    const evaluation = state.tables.evaluation.get(id)
    if (evaluation === undefined) return
    const waitMs = evaluation.WaitUntil ? Date.parse(evaluation.WaitUntil) - clock.now() : 0
    if (waitMs > 0) {
      this.#stopWaiting(id)
      this.#waiting.set(
        id,
        clock.after(waitMs, () => this.#makeReady(id, evaluation.Priority)),
      )
      return
    }
    this.#makeReady(id, evaluation.Priority)
  }

  #makeReady(id: string, priority: number): void {
    this.#waiting.delete(id)
    const ids = this.#ready.get(priority) ?? []
    ids.push(id)
    this.#ready.set(priority, ids)
    this.#schedule()
  }

  #stopWaiting(id: string): void {
    this.#waiting.get(id)?.cancel()
    this.#waiting.delete(id)
  }

  #offer(nodeId: string): void {
    this.#withRoom.add(nodeId)
    this.#schedule()
  }

  /** Soon, but after the commit that caused it has reached everybody. */
  #schedule(): void {
    if (this.#scheduled || !this.#isOpen) return
    this.#scheduled = true
    queueMicrotask(() => this.#work())
  }

  #work(): void {
    this.#scheduled = false
    if (!this.#isOpen) return
    this.#unblock()
    if (this.#configuration().PauseEvalBroker) return
    for (let count = 0; count < BURST_MAX; count++) {
      const id = this.#next()
      if (id === undefined) return
      this.#process(id)
    }
    this.#scheduled = true
    setImmediate(() => this.#work())
  }

  #unblock(): void {
    if (this.#withRoom.size === 0) return
    const { state, clock } = this.#deps
    const evaluations = pickUnblocked(state, this.#withRoom)
    this.#withRoom.clear()
    if (evaluations.length === 0) return
    const ModifyTime = toNanoseconds(clock.now())
    const patch = { Status: 'pending', StatusDescription: '', ModifyTime } as const
    state.commit(
      'EvaluationUpdated',
      evaluations.map(({ ID }) => ({ table: 'evaluation', key: ID, patch })),
    )
  }

  #next(): string | undefined {
    const priority = Math.max(...this.#ready.keys())
    const ids = this.#ready.get(priority)
    const id = ids?.shift()
    if (ids?.length === 0) this.#ready.delete(priority)
    return id
  }

  /** A plan that fails is a fault of ours: its evaluation ends, and the others go on. */
  #process(id: string): void {
    const { state, log } = this.#deps
    const evaluation = state.tables.evaluation.get(id)
    if (evaluation?.Status !== 'pending') return
    try {
      this.#carryOut(evaluation)
    } catch (cause) {
      log.error('evaluation failed', { evaluation: id, job: evaluation.JobID, cause })
      const patch = { Status: 'failed', StatusDescription: 'the scheduler failed' } as const
      state.commit('EvaluationUpdated', [{ table: 'evaluation', key: id, patch }])
    }
  }

  #carryOut(evaluation: Evaluation): void {
    const { state, clock, random, log } = this.#deps
    const { ID: id } = evaluation
    const nowMs = clock.now()
    const configuration = this.#configuration()
    const context = { nowMs, random, configuration, candidates: this.#candidates }
    const { writes, evaluations } = makePlan(state, evaluation, context)
    if (writes.length > 0) {
      const AllocModifyIndex = state.index + 1
      const stamped = writes.map((write) =>
        write.put
          ? { ...write, put: { ...write.put, AllocModifyIndex } }
          : { ...write, patch: { ...write.patch, AllocModifyIndex } },
      )
      const touched = { table: 'evaluation', key: id, patch: {} } as const
      state.commit('PlanResult', [touched, ...stamped])
    }
    state.commit('EvaluationUpdated', evaluations)
    const { FailedTGAllocs } = state.tables.evaluation.get(id) ?? {}
    if (FailedTGAllocs) log.debug('allocations wait for room', { job: evaluation.JobID })
  }

  #configuration(): SchedulerConfiguration {
    const row = this.#deps.state.tables.setting.get(SETTING_KEY)
    if (row === undefined) throw new Error('the scheduler configuration is missing')
    return row
  }
}
