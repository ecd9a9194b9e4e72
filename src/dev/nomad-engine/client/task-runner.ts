/**
 * Runs one task from its first start to its last end.
 *
 * The loop is: start, wait, look at how it ended, start again if the policy says so. Being asked to stop
 * ends it wherever it is.
 */
import { sleep } from '../../../platform/index.ts'
import type { Clock, Log, RandomSource } from '../../../platform/index.ts'
import type { Allocation, TaskState } from '../objects/allocation.ts'
import type { Task, TaskGroup } from '../objects/job.ts'
import type { Node } from '../objects/node.ts'
import { fromNanoseconds, toTimestamp } from '../objects/values.ts'
import type { TaskHandle } from '../state/rows.ts'
import type { Driver, RunningTask, StartOutcome, TaskExit } from './driver.ts'
import { buildEnvironment, interpolateConfig } from './environment.ts'
import type { TaskFolders } from './folders.ts'
import { decideRestart, NO_RESTARTS } from './restarts.ts'
import type { RestartCount } from './restarts.ts'
import { addEvent, taskEvent } from './task-events.ts'
import type { EventBody } from './task-events.ts'

export interface TaskDeps {
  clock: Clock
  random: RandomSource
  log: Log
  driver: Driver
  folders: TaskFolders
  /** What tasks inherit from the engine's own process. */
  host: Readonly<Record<string, string | undefined>>
  remember: (handle: TaskHandle) => void
  /** The start that was remembered has ended, and was accounted for. */
  forget: () => void
  onChange: () => void
}

export interface StopOptions {
  /** Shown in place of the usual text. */
  reason?: string
  /** What led to it, told first. */
  cause?: EventBody
  /** Skips the task's shutdown delay. */
  noDelay?: boolean
  /** Shortens the task's own kill timeout. */
  timeoutMaxMs?: number
}

/** Nomad's `max_kill_timeout` default: no task may take longer to end. */
const KILL_TIMEOUT_MAX_MS = 30_000

export class TaskRunner {
  state: TaskState = {
    State: 'pending',
    Failed: false,
    Restarts: 0,
    LastRestart: null,
    StartedAt: null,
    FinishedAt: null,
    Events: [],
  }
  readonly task: Task
  readonly #allocation: Allocation
  readonly #group: TaskGroup
  readonly #node: Node
  readonly #deps: TaskDeps
  readonly #stopped = new AbortController()
  #running: RunningTask | null = null
  #restarts: RestartCount = NO_RESTARTS
  #detached = false
  #killTimeoutMs = 0

  constructor(
    deps: TaskDeps,
    place: { allocation: Allocation; group: TaskGroup; task: Task; node: Node },
  ) {
    this.#deps = deps
    this.task = place.task
    this.#allocation = place.allocation
    this.#group = place.group
    this.#node = place.node
    const known = place.allocation.TaskStates?.[place.task.Name]
    if (known === undefined) return
    this.state = known
    if (known.LastRestart === null) return
    this.#restarts = { attempts: known.Restarts, sinceMs: Date.parse(known.LastRestart) }
  }

  /** @param handle of a start by an earlier process. Settles when the task is dead for good. */
  async run(handle: TaskHandle | undefined): Promise<void> {
    if (this.state.State === 'dead') return
    const { driver, folders } = this.#deps
    const { task } = this
    const known = { allocation: this.#allocation, task, folders }
    const recovered = handle && (await driver.recover(known, handle))
    if (this.#detached) {
      recovered?.detach()
      return
    }
    if (recovered) {
      if (this.state.State !== 'running') this.#noteStart()
      await this.#waitFor(recovered)
    } else if (this.state.Events.length === 0) {
      this.#note(taskEvent.received())
    }
    while (!this.#isOver()) await this.#startOnce()
  }

  /** Asks it to end. Harmless when repeated, or when it is over. */
  async stop(options: StopOptions = {}): Promise<void> {
    if (this.state.State === 'dead' || this.#stopped.signal.aborted) return
    if (options.cause) this.#note(options.cause)
    const delayMs = fromNanoseconds(this.task.ShutdownDelay)
    if (delayMs > 0 && !options.noDelay && this.#running !== null) {
      this.#note(taskEvent.shutdownDelay(delayMs))
      await sleep(this.#deps.clock, delayMs)
    }
    if (this.#isOver()) return
    this.#stopped.abort()
    const timeoutMaxMs = options.timeoutMaxMs ?? KILL_TIMEOUT_MAX_MS
    this.#killTimeoutMs = Math.min(fromNanoseconds(this.task.KillTimeout), timeoutMaxMs)
    this.#note(taskEvent.killing(this.#killTimeoutMs, options.reason ?? ''))
    this.#running?.kill(this.task.KillSignal, this.#killTimeoutMs)
  }

  /** Leaves a real process alone; the next engine finds it. */
  detach(): void {
    this.#detached = true
    this.#running?.detach()
  }

  get keepsFiles(): boolean {
    return this.#deps.driver.keepsFiles
  }

  usage() {
    return this.#running?.usage() ?? null
  }

  #isOver(): boolean {
    return this.state.State === 'dead' || this.#detached
  }

  async #startOnce(): Promise<void> {
    if (this.#stopped.signal.aborted) return this.#end({ failed: false, event: taskEvent.killed() })
    if (this.state.StartedAt === null) this.#note(taskEvent.setup())
    const outcome = await this.#start()
    if (this.#detached) {
      if (outcome.ok) outcome.running.detach()
      return
    }
    if (!outcome.ok) {
      const event =
        outcome.type === 'Driver Failure'
          ? taskEvent.driverFailure(outcome.message)
          : taskEvent.failedValidation(outcome.message)
      this.#note(event)
      return this.#restartOrFail()
    }
    this.#noteStart()
    await this.#waitFor(outcome.running)
  }

  #noteStart(): void {
    this.#update({ State: 'running', StartedAt: this.#now() }, taskEvent.started())
  }

  async #start(): Promise<StartOutcome> {
    const { driver, folders, host, remember, log } = this.#deps
    const place = { allocation: this.#allocation, group: this.#group, task: this.task }
    try {
      const environment = buildEnvironment({ ...place, node: this.#node, folders, host })
      const config = interpolateConfig(this.task.Config ?? {}, environment, this.#node)
      if (!config.ok) {
        const message = `failed to parse config: Unknown variable: There is no variable named "${config.unknown}".`
        return { ok: false, type: 'Failed Validation', message }
      }
      const value = config.value as Record<string, unknown>
      return await driver.start({ ...place, folders, environment, config: value, remember })
    } catch (cause) {
      log.warn('task could not be started', { allocation: this.#allocation.ID, cause })
      const message = `failed to start task: ${cause instanceof Error ? cause.message : String(cause)}`
      return { ok: false, type: 'Driver Failure', message }
    }
  }

  async #waitFor(running: RunningTask): Promise<void> {
    this.#running = running
    if (this.#stopped.signal.aborted) running.kill(this.task.KillSignal, this.#killTimeoutMs)
    const exit = await running.exit
    this.#running = null
    if (this.#detached) return
    this.#note(taskEvent.terminated(exit))
    this.#deps.forget()
    if (this.#stopped.signal.aborted) return this.#end({ failed: false, event: taskEvent.killed() })
    if (this.#isDone(exit)) return this.#end({ failed: false })
    await this.#restartOrFail()
  }

  /** A service is to run for ever; anything else is done once it succeeded. */
  #isDone(exit: TaskExit): boolean {
    const { Type } = this.#allocation.Job
    return (Type === 'batch' || Type === 'sysbatch') && exit.code === 0 && exit.signal === 0
  }

  async #restartOrFail(): Promise<void> {
    const { clock, random } = this.#deps
    const { RestartPolicy } = this.task
    const { decision, count } = decideRestart(
      RestartPolicy,
      this.#restarts,
      clock.now(),
      random.number(),
    )
    this.#restarts = count
    if (!decision.restart) {
      return this.#end({ failed: true, event: taskEvent.notRestarting(decision.reason) })
    }
    this.#update(
      { State: 'pending', Restarts: this.state.Restarts + 1, LastRestart: this.#now() },
      taskEvent.restarting(decision.delayMs, decision.reason),
    )
    await sleep(clock, decision.delayMs, this.#stopped.signal)
  }

  #end(how: { failed: boolean; event?: EventBody }): void {
    this.#update({ State: 'dead', Failed: how.failed, FinishedAt: this.#now() }, how.event)
  }

  #note(event: EventBody): void {
    this.#update({}, event)
  }

  #update(fields: Partial<TaskState>, event?: EventBody): void {
    const { clock, onChange } = this.#deps
    const Events = event ? addEvent(this.state.Events, event, clock.now()) : this.state.Events
    this.state = { ...this.state, ...fields, Events }
    onChange()
  }

  #now(): string {
    return toTimestamp(this.#deps.clock.now())
  }
}
