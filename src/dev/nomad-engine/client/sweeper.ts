/**
 * Ends what a task left behind: nothing of an allocation may outlive it.
 *
 * Tasks that end at about the same time share one look at the process list.
 */
import type { Clock, Timer } from '../../../platform/index.ts'
import { findTaskProcesses, sendSignal } from './processes.ts'
import type { TaskMark } from './processes.ts'

/** Looking at every process of the machine costs milliseconds; a leftover may live this much longer. */
const GATHER_MS = 50

/** A process that forks while it is being killed needs another round, but not for ever. */
const ROUNDS_MAX = 5

export class Sweeper {
  readonly #clock: Clock
  #marks: TaskMark[] = []
  #timer: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  sweep(mark: TaskMark): void {
    this.#marks.push(mark)
    this.#timer ??= this.#clock.after(GATHER_MS, () => this.finish()).unref()
  }

  /** Sweeps now what was put off. */
  finish(): void {
    this.#timer?.cancel()
    this.#timer = null
    const marks = this.#marks
    this.#marks = []
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const pids = findTaskProcesses(marks)
      if (pids.length === 0) return
      for (const pid of pids) sendSignal(pid, 'SIGKILL')
    }
  }

  /** Stops the timer. What was put off is swept first. */
  close(): void {
    this.finish()
  }
}
