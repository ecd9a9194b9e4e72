/**
 * Drains: when is one over, and what must be stopped for it?
 *
 * Batch allocations are never asked to move, they run on until the deadline. Allocations of jobs that
 * run everywhere go last, unless they are to be ignored.
 */
import type { Clock, Log, RandomSource, Timer } from '../../../platform/index.ts'
import { isTerminal, isClientTerminal } from '../objects/allocation.ts'
import type { Allocation } from '../objects/allocation.ts'
import { createEvaluation } from '../objects/evaluation.ts'
import { addNodeEvent } from '../objects/node.ts'
import type { Node } from '../objects/node.ts'
import { toNanoseconds, toTimestamp } from '../objects/values.ts'
import { jobKeyOf } from '../state/rows.ts'
import type { Write } from '../state/rows.ts'
import type { State } from '../state/state.ts'

export interface DrainStep {
  /** Allocations to ask away; `forced` ones are not placed again. */
  migrate: { allocation: Allocation; forced: boolean }[]
  done: boolean
  /** Look again no later than this; null when only a change can bring news. */
  wakeAtMs: number | null
  deadlineReached: boolean
}

/** Pure. @param allocations everything on the node. */
export function stepDrain(
  node: Node,
  allocations: readonly Allocation[],
  nowMs: number,
): DrainStep | null {
  const strategy = node.DrainStrategy
  if (strategy === null) return null
  const forceAtMs = strategy.ForceDeadline === null ? null : Date.parse(strategy.ForceDeadline)
  const deadlineReached = strategy.Deadline < 0 || (forceAtMs !== null && forceAtMs <= nowMs)
  const remaining = allocations.filter((each) => !isClientTerminal(each))
  const [everywhere, counted] = partition(remaining, runsEverywhere)
  const asked = (each: Allocation) => isTerminal(each) || each.DesiredTransition.Migrate === true
  const systemTurn = counted.length === 0 || deadlineReached
  const system = strategy.IgnoreSystemJobs || !systemTurn ? [] : everywhere
  const services = counted.filter((each) => each.Job.Type === 'service')
  const leaving = deadlineReached ? counted : services
  const migrate = [...leaving, ...system]
    .filter((each) => !asked(each))
    .map((allocation) => ({ allocation, forced: deadlineReached }))
  const watched = strategy.IgnoreSystemJobs ? counted : remaining
  const done = deadlineReached ? migrate.length === 0 : watched.length === 0
  return { migrate, done, deadlineReached, wakeAtMs: deadlineReached ? null : forceAtMs }
}

/** For ever, that is: what runs once on every node is waited for like every batch job. */
function runsEverywhere(allocation: Allocation): boolean {
  return allocation.Job.Type === 'system'
}

function partition<T>(all: readonly T[], test: (each: T) => boolean): [T[], T[]] {
  return [all.filter(test), all.filter((each) => !test(each))]
}

export interface DrainerDeps {
  state: State
  clock: Clock
  random: RandomSource
  log: Log
}

/** Watches draining nodes and carries their steps out. */
export class Drainer {
  readonly #deps: DrainerDeps
  readonly #timers = new Map<string, Timer>()
  readonly #dirty = new Set<string>()
  #scheduled = false

  constructor(deps: DrainerDeps) {
    this.#deps = deps
    deps.state.onCommit((commit) => {
      for (const change of commit.changes) {
        if (change.table === 'node') this.#note(change.key)
        else if (change.table === 'allocation') this.#note((change.after ?? change.before)?.NodeID)
      }
    })
  }

  /** Goes on with drains of an earlier process. */
  start(): void {
    for (const id of this.#deps.state.tables.node.rows.keys()) this.#note(id)
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    this.#dirty.clear()
  }

  #note(nodeId: string | undefined): void {
    if (nodeId === undefined) return
    if (!this.#deps.state.tables.node.get(nodeId)?.DrainStrategy) {
      this.#timers.get(nodeId)?.cancel()
      this.#timers.delete(nodeId)
      return
    }
    this.#dirty.add(nodeId)
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      const ids = [...this.#dirty]
      this.#dirty.clear()
      for (const id of ids) this.#step(id)
    })
  }

  #step(nodeId: string): void {
    const { state, clock, log } = this.#deps
    const node = state.tables.node.get(nodeId)
    if (node === undefined) return
    const ids = [...state.indexes.ofNode(nodeId).allocations]
    const allocations = ids.flatMap((id) => state.tables.allocation.get(id) ?? [])
    const step = stepDrain(node, allocations, clock.now())
    if (step === null) return
    if (step.migrate.length > 0) this.#migrate(step.migrate)
    if (step.done) {
      log.info('node drain complete', { node: nodeId, deadlineReached: step.deadlineReached })
      state.commit('NodeDrain', [this.#finish(node, step.deadlineReached)])
      return
    }
    this.#timers.get(nodeId)?.cancel()
    if (step.wakeAtMs === null) return
    const delayMs = step.wakeAtMs - clock.now()
    this.#timers.set(
      nodeId,
      clock.after(delayMs, () => this.#note(nodeId)),
    )
  }

  /** One evaluation for each job that has to move. */
  #migrate(migrate: DrainStep['migrate']): void {
    const { state, clock, random } = this.#deps
    const nowMs = clock.now()
    const writes: Write[] = migrate.map(({ allocation, forced }) => ({
      table: 'allocation',
      key: allocation.ID,
      patch: {
        DesiredTransition: {
          ...allocation.DesiredTransition,
          Migrate: true,
          ...(forced ? { MigrateDisablePlacement: true } : {}),
        },
        ModifyTime: toNanoseconds(nowMs),
      },
    }))
    const jobs = new Map(migrate.map(({ allocation }) => [jobKeyOf(allocation), allocation.Job]))
    for (const job of jobs.values()) {
      const put = createEvaluation(job, 'node-drain', { nowMs, random })
      writes.push({ table: 'evaluation', key: put.ID, put })
    }
    state.commit('AllocationUpdateDesiredStatus', writes)
  }

  #finish(node: Node, deadlineReached: boolean): Write {
    const now = toTimestamp(this.#deps.clock.now())
    const Events = addNodeEvent(node.Events, {
      Message: 'Node drain complete',
      Subsystem: 'Drain',
      Timestamp: now,
      Details: deadlineReached ? { deadline_reached: 'true' } : null,
      CreateIndex: this.#deps.state.index + 1,
    })
    const LastDrain = node.LastDrain && {
      ...node.LastDrain,
      Status: 'complete' as const,
      UpdatedAt: now,
    }
    return { table: 'node', key: node.ID, patch: { DrainStrategy: null, LastDrain, Events } }
  }
}
