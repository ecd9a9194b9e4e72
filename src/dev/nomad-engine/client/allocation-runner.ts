/** Runs the tasks of one allocation, and tells what they add up to. */
import type { Clock, Log, RandomSource, Timer } from '../../../platform/index.ts'
import { groupOf, summarizeTasks } from '../objects/allocation.ts'
import type { Allocation, TaskState } from '../objects/allocation.ts'
import type { TaskGroup } from '../objects/job.ts'
import type { Node } from '../objects/node.ts'
import { fromNanoseconds } from '../objects/values.ts'
import { TIMEOUT_DESCRIPTION } from '../state/event-buffer.ts'
import type { TaskHandle } from '../state/rows.ts'
import type { Driver } from './driver.ts'
import { toTaskFolders } from './folders.ts'
import { LOG_TYPES, rotateLogs } from './log-files.ts'
import type { ClientUpdate } from './reporter.ts'
import { taskEvent } from './task-events.ts'
import { TaskRunner } from './task-runner.ts'
import type { StopOptions } from './task-runner.ts'

export interface RunnerDeps {
  clock: Clock
  random: RandomSource
  log: Log
  dataDir: string
  host: Readonly<Record<string, string | undefined>>
  driverFor: (name: string) => Driver
  handleOf: (allocation: string, task: string) => TaskHandle | undefined
  remember: (handle: TaskHandle) => void
  forget: (allocation: string, task: string) => void
  report: (id: string, update: ClientUpdate) => void
}

export class AllocationRunner {
  readonly allocation: Allocation
  readonly #group: TaskGroup
  readonly #deps: RunnerDeps
  readonly #tasks: TaskRunner[]
  /** Settles when no task runs any more. */
  readonly done: Promise<void>
  #deadline: Timer | null = null
  #timedOut = false
  #isReporting = false

  constructor(deps: RunnerDeps, allocation: Allocation, node: Node) {
    const group = groupOf(allocation)
    if (group === undefined) throw new Error(`allocation ${allocation.ID} has no group`)
    this.allocation = allocation
    this.#group = group
    this.#deps = deps
    this.#timedOut = allocation.ClientDescription === TIMEOUT_DESCRIPTION
    this.#tasks = group.Tasks.map((task) => this.#createTask(task, node))
    this.#setDeadline()
    const runs = this.#tasks.map((each) => this.#runTask(each))
    this.done = Promise.all(runs).then(() => this.#deadline?.cancel())
  }

  /** Asks every task to end: the leader first, the others when it is gone. */
  stop(options: StopOptions = {}): void {
    const leader = this.#tasks.find((each) => each.task.Leader && each.state.State !== 'dead')
    for (const each of leader ? [leader] : this.#tasks) void each.stop(options)
  }

  /** Stops watching. Real tasks go on. */
  detach(): void {
    this.#deadline?.cancel()
    for (const each of this.#tasks) each.detach()
  }

  /** Whether anything of it is on disk: simulated tasks leave nothing. */
  get hasFiles(): boolean {
    return this.#tasks.some((each) => each.keepsFiles)
  }

  get tasks(): readonly TaskRunner[] {
    return this.#tasks
  }

  rotateLogs(): void {
    for (const { task, state } of this.#tasks) {
      if (state.State !== 'running') continue
      const { MaxFiles, MaxFileSizeMB } = task.LogConfig
      const { logs } = toTaskFolders(this.#deps.dataDir, this.allocation.ID, task.Name)
      const limits = { filesMax: MaxFiles, bytesMax: MaxFileSizeMB * 1024 * 1024 }
      for (const type of LOG_TYPES) rotateLogs(logs, task.Name, type, limits)
    }
  }

  #createTask(task: TaskGroup['Tasks'][number], node: Node): TaskRunner {
    const { clock, random, log, dataDir, host, remember, driverFor } = this.#deps
    const driver = driverFor(task.Driver)
    const folders = toTaskFolders(dataDir, this.allocation.ID, task.Name)
    const onChange = () => this.#report()
    const forget = () => this.#deps.forget(this.allocation.ID, task.Name)
    const deps = { clock, random, log, driver, folders, host, remember, forget, onChange }
    return new TaskRunner(deps, { allocation: this.allocation, group: this.#group, task, node })
  }

  async #runTask(runner: TaskRunner): Promise<void> {
    const { handleOf, log } = this.#deps
    try {
      await runner.run(handleOf(this.allocation.ID, runner.task.Name))
    } catch (cause) {
      log.error('task runner failed', { allocation: this.allocation.ID, cause })
    }
    const others = this.#tasks.filter((each) => each !== runner)
    if (runner.state.State !== 'dead') return
    for (const other of others) {
      if (runner.task.Leader) void other.stop({ cause: taskEvent.leaderDead() })
      else if (runner.state.Failed) {
        void other.stop({ cause: taskEvent.siblingFailed(runner.task.Name) })
      }
    }
  }

  /** Counted from the allocation's creation, so that a recovered one gets no second helping. */
  #setDeadline(): void {
    const { MaxRunDuration } = this.#group
    if (MaxRunDuration === null || this.#timedOut) return
    const endsAtMs = fromNanoseconds(this.allocation.CreateTime + MaxRunDuration)
    const { clock } = this.#deps
    this.#deadline = clock.after(endsAtMs - clock.now(), () => {
      if (this.#tasks.every((each) => each.state.State === 'dead')) return
      this.#timedOut = true
      for (const each of this.#tasks) void each.stop({ reason: TIMEOUT_DESCRIPTION })
      this.#report()
    })
  }

  /** Once per turn, however many events it brings. */
  #report(): void {
    if (this.#isReporting) return
    this.#isReporting = true
    queueMicrotask(() => {
      this.#isReporting = false
      this.#deps.report(this.allocation.ID, this.#toUpdate())
    })
  }

  #toUpdate(): ClientUpdate {
    const TaskStates: Record<string, TaskState> = Object.fromEntries(
      this.#tasks.map((each) => [each.task.Name, each.state]),
    )
    const summary = this.#timedOut
      ? { ClientStatus: 'complete' as const, ClientDescription: TIMEOUT_DESCRIPTION }
      : summarizeTasks(TaskStates)
    return { ...summary, TaskStates }
  }
}
