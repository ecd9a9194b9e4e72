/**
 * Heartbeats for terminations that wait for us, on timers of their own: whatever the controller waits for,
 * and however slow a drain is, the beats go on.
 *
 * The first beat is at once, the next ones after a third of the hook's timeout at most. The timeout is read
 * before each beat, since the beat is what a changed one begins to count from.
 */
import {
  backoffMs,
  type Clock,
  type Log,
  type RandomSource,
  type Timer,
} from '../platform/index.ts'
import { SHORTEST_TIMEOUT_MS } from './lifecycle/hooks.ts'
import type { OpenHook } from './plan/draft.ts'
import type { FleetGroups } from './ports.ts'

export interface HeartbeatDeps {
  /** Of a pool. */
  awsOf: (pool: string) => Pick<FleetGroups, 'heartbeat' | 'readHooks'>
  clock: Clock
  random: Pick<RandomSource, 'number'>
  log: Log
  /** There is nothing to beat for any more: time to look. */
  onGone: () => void
}

export interface Heartbeats {
  /** What to beat for in this pool from now on; what goes on is not disturbed. */
  set(pool: string, hooks: readonly OpenHook[]): void
  /** What is to be beaten for besides, until all of it is set anew. */
  add(pool: string, hooks: readonly OpenHook[]): void
  /** Its end is being asked for: that it is over when a beat comes is no news then. */
  ending(pool: string, hook: HookName): void
  /** It has ended by our hand: lists that lag may still show it. */
  end(pool: string, hook: HookName): void
  /** For status and metrics. */
  list(): Beat[]
  /** Returns when nothing is due any more: for who beats once and goes. */
  settled(): Promise<void>
  /** Returns when no call is under way any more. */
  stop(): Promise<void>
}

export type HookName = Pick<OpenHook, 'group' | 'hook' | 'instanceId'>

export interface Beat {
  pool: string
  instanceId: string
  transition: OpenHook['transition']
  /** On the monotonic clock; null before the first one that was accepted. */
  lastMs: number | null
  /** When Auto Scaling stops waiting if no further beat comes, on the monotonic clock. */
  expiresMs: number
  failures: number
}

/** Three tries fit into a timeout. */
const BEATS_PER_TIMEOUT = 3
/** A machine that is slow in between still has half of the share. */
const JITTER = 0.15
/** After a failure; the shortest timeout still has several tries left. */
const RETRY = { baseMs: 500, maxMs: 5000 }
/** Calls at the same time: a hundred first beats take three rounds. */
const CALLS_MAX = 40
/** How old what is known of a group's hooks may be when it is used for a beat. */
const HOOKS_MS = 5000

interface Armed extends Beat {
  hook: OpenHook
  isEnding: boolean
  timer: Timer | null
}

export function createHeartbeats(deps: HeartbeatDeps): Heartbeats {
  return new Wheel(deps)
}

class Wheel implements Heartbeats {
  readonly #deps: HeartbeatDeps
  readonly #armed = new Map<string, Armed>()
  /** What AWS says is over, as long as it is asked for: lists lag behind. */
  readonly #over = new Set<string>()
  readonly #due: Armed[] = []
  readonly #timeouts = new Map<string, { atMs: number; read: Promise<Map<string, number>> }>()
  readonly #calls = new Set<Promise<void>>()
  readonly #stopping = new AbortController()

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps
  }

  set(pool: string, hooks: readonly OpenHook[]): void {
    if (this.#stopping.signal.aborted) return
    const wanted = new Map(hooks.map((hook) => [keyOf(pool, hook), hook]))
    for (const [key, armed] of this.#armed) {
      if (armed.pool === pool && !wanted.has(key)) this.#disarm(key)
    }
    for (const key of this.#over) {
      if (key.startsWith(`${pool} `) && !wanted.has(key)) this.#over.delete(key)
    }
    for (const [key, hook] of wanted) {
      if (this.#over.has(key)) continue
      const known = this.#armed.get(key)
      if (known === undefined) {
        this.#arm(pool, key, hook)
        continue
      }
      const timeoutMs = Math.min(hook.timeoutMs, known.hook.timeoutMs)
      const isShorter = timeoutMs < known.hook.timeoutMs
      known.hook = { ...hook, timeoutMs }
      if (isShorter) this.#hasten(known)
      known.isEnding = false
    }
    this.#pump()
  }

  add(pool: string, hooks: readonly OpenHook[]): void {
    if (this.#stopping.signal.aborted) return
    for (const hook of hooks) {
      const key = keyOf(pool, hook)
      if (!this.#over.has(key) && !this.#armed.has(key)) this.#arm(pool, key, hook)
    }
    this.#pump()
  }

  #arm(pool: string, key: string, hook: OpenHook): void {
    const expiresMs = this.#deps.clock.monotonic() + hook.timeoutMs
    const { instanceId, transition } = hook
    const armed: Armed = {
      pool,
      instanceId,
      transition,
      hook,
      expiresMs,
      lastMs: null,
      failures: 0,
      isEnding: false,
      timer: null,
    }
    this.#armed.set(key, armed)
    this.#due.push(armed)
  }

  ending(pool: string, hook: HookName): void {
    const armed = this.#armed.get(keyOf(pool, hook))
    if (armed !== undefined) armed.isEnding = true
  }

  end(pool: string, hook: HookName): void {
    const key = keyOf(pool, hook)
    if (this.#armed.has(key)) this.#over.add(key)
    this.#disarm(key)
  }

  list(): Beat[] {
    return [...this.#armed.values()].map((armed) => {
      const { pool, instanceId, transition, lastMs, expiresMs, failures } = armed
      return { pool, instanceId, transition, lastMs, expiresMs, failures }
    })
  }

  async settled(): Promise<void> {
    while (this.#calls.size > 0) await Promise.all(this.#calls)
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the controller is closing'))
    for (const key of this.#armed.keys()) this.#disarm(key)
    await Promise.all(this.#calls)
  }

  #disarm(key: string): void {
    this.#armed.get(key)?.timer?.cancel()
    this.#armed.delete(key)
  }

  /** Those that lapse first are beaten for first. */
  #pump(): void {
    this.#due.sort((a, b) => a.expiresMs - b.expiresMs)
    while (this.#calls.size < CALLS_MAX) {
      const armed = this.#due.shift()
      if (armed === undefined) return
      if (this.#armed.get(keyOf(armed.pool, armed.hook)) !== armed) continue
      const call = this.#beat(armed).finally(() => {
        this.#calls.delete(call)
        this.#pump()
      })
      this.#calls.add(call)
    }
  }

  async #beat(armed: Armed): Promise<void> {
    const { clock, log } = this.#deps
    const { pool, hook } = armed
    const { group, instanceId } = hook
    try {
      const timeoutMs = await this.#readTimeout(pool, hook)
      hook.timeoutMs = timeoutMs
      const sentMs = clock.monotonic()
      const action = { group, hook: hook.hook, instanceId }
      const signal = this.#stopping.signal
      const outcome = await this.#deps.awsOf(pool).heartbeat(action, { signal })
      if (outcome === 'no_action') {
        this.#isOver(armed)
        return
      }
      // A look may have found a shorter one while the beat was under way.
      const heldMs = Math.min(timeoutMs, armed.hook.timeoutMs)
      armed.lastMs = sentMs
      armed.expiresMs = sentMs + heldMs
      armed.failures = 0
      this.#schedule(armed, this.#restOf(heldMs))
    } catch (cause) {
      if (this.#stopping.signal.aborted) return
      armed.failures += 1
      const retryMs = backoffMs(armed.failures, {
        ...RETRY,
        random: () => this.#deps.random.number(),
      })
      log.warn('a heartbeat failed', { pool, instanceId, failures: armed.failures, retryMs, cause })
      this.#schedule(armed, retryMs)
    }
  }

  #isOver(armed: Armed): void {
    const { pool, hook, isEnding } = armed
    const key = keyOf(pool, hook)
    // By us, while the beat was under way.
    if (this.#armed.get(key) !== armed) return
    if (!isEnding) {
      const { instanceId, hook: name } = hook
      // By the instance's own daemon, by somebody else, or by its time: slices that still run are told apart.
      this.#deps.log.info('a hook is not open any more', { pool, instanceId, hook: name })
    }
    this.#disarm(key)
    this.#over.add(key)
    this.#deps.onGone()
  }

  #restOf(timeoutMs: number): number {
    return (timeoutMs / BEATS_PER_TIMEOUT) * (1 - JITTER * this.#deps.random.number())
  }

  #schedule(armed: Armed, delayMs: number): void {
    if (this.#armed.get(keyOf(armed.pool, armed.hook)) !== armed) return
    armed.timer = this.#deps.clock.after(delayMs, () => {
      armed.timer = null
      this.#due.push(armed)
      this.#pump()
    })
  }

  /** Made shorter between the reading and the beat, the timeout counts from that beat on. */
  #hasten(armed: Armed): void {
    const { timer, lastMs, hook } = armed
    if (timer === null || lastMs === null) return
    const nowMs = this.#deps.clock.monotonic()
    armed.expiresMs = Math.min(armed.expiresMs, lastMs + hook.timeoutMs)
    timer.cancel()
    this.#schedule(armed, Math.max(0, lastMs + this.#restOf(hook.timeoutMs) - nowMs))
  }

  /**
   * As it is now, shared by all that beat for the group at the time. One that can not be read may have become
   * the shortest there is.
   */
  async #readTimeout(pool: string, hook: OpenHook): Promise<number> {
    const { clock, awsOf, log } = this.#deps
    const key = `${pool} ${hook.group}`
    let known = this.#timeouts.get(key)
    if (known === undefined || clock.monotonic() - known.atMs > HOOKS_MS) {
      const read = awsOf(pool)
        .readHooks(hook.group, { signal: this.#stopping.signal })
        .then((hooks) => new Map(hooks.map(({ name, timeoutMs }) => [name, timeoutMs])))
      known = { atMs: clock.monotonic(), read }
      this.#timeouts.set(key, known)
    }
    try {
      return (await known.read).get(hook.hook) ?? hook.timeoutMs
    } catch (cause) {
      log.debug('the hooks could not be read before a heartbeat', { group: hook.group, cause })
      return Math.min(hook.timeoutMs, SHORTEST_TIMEOUT_MS)
    }
  }
}

function keyOf(pool: string, { group, hook, instanceId }: HookName): string {
  return `${pool} ${group} ${hook} ${instanceId}`
}
