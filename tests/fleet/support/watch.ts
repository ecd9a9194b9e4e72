/**
 * What must never happen to a cluster, and who did it: the difference between a slice that somebody else has
 * ended and one that we have is all that counts.
 */
import type { WorldEvent } from '../../../src/dev/aws/index.ts'
import type { Clock } from '../../../src/platform/index.ts'
import type { FakeNomad } from './nomad.ts'
import { groupsIn, Refusals, type AwsAnswer, type AwsCall } from './refusals.ts'

export interface Line {
  at: number
  level: string
  message: string
  fields: Record<string, unknown>
}

/** Within these we may set a group's size: those of the pool and of the group, whichever are narrower. */
export interface Bounds {
  min: number
  max: number
}

export interface Watched {
  clock: Clock
  nomad: FakeNomad
  /** What all controllers have logged. */
  lines: readonly Line[]
  boundsOf: (group: string) => Bounds
  /** Of others, hooks are theirs to hold and to complete. */
  isOurHook: (hook: string) => boolean
  /** Whether a group keeps the machines of abandoned hooks. */
  retains: (group: string) => boolean
}

export class Watch {
  readonly violations: string[] = []
  /** The controller whose call is being carried out; null while others act, and when time alone goes on. */
  actor: string | null = null
  /** Until when a person is to blame for what runs on a machine. */
  readonly #excusedMs = new Map<string, number>()
  readonly #refusals = new Refusals()
  /** Sizes of groups as controllers were told them last, and have changed them since. */
  readonly #toldSizes = new Map<string, number>()
  readonly #watched: Watched

  constructor(watched: Watched) {
    this.#watched = watched
  }

  violate(text: string): void {
    this.violations.push(`${formatTime(this.#watched.clock.monotonic())} ${text}`)
  }

  /** Somebody has given its node new slices while it was on its way out: what is under way can not know. */
  excuse(instance: string, forMs: number): void {
    this.#excusedMs.set(instance, this.#watched.clock.monotonic() + forMs)
  }

  /** What a controller asks for, whatever becomes of it. */
  onCall(actor: string, call: AwsCall): void {
    const { action, input } = call
    this.#refusals.onCall(call, this.#watched.clock.monotonic())
    const ended = ENDINGS[action]?.(input) ?? []
    for (const instance of ended) {
      const running = this.#runningOn(instance)
      if (running > 0)
        this.violate(`${actor} calls for the end of ${instance} and its ${running} slices`)
    }
  }

  /** AWS has told a controller what it asked for. */
  onAnswer(call: AwsCall, answer: AwsAnswer): void {
    const groups = groupsIn(call, answer)
    this.#refusals.onGroups(groups, this.#watched.clock.monotonic())
    for (const { AutoScalingGroupName: name, DesiredCapacity: size } of groups) {
      if (name !== undefined && size !== undefined) this.#toldSizes.set(name, size)
    }
  }

  onEvent(event: WorldEvent): void {
    if (event.type === 'desired') this.#judgeSize(event)
    if (event.type === 'action-closed') this.#judgeClosing(event)
    this.#refusals.onEvent(event, this.#watched.clock.monotonic())
  }

  #judgeSize({ group, from, to }: Extract<WorldEvent, { type: 'desired' }>): void {
    if (this.actor === null) return
    const told = this.#toldSizes.get(group)
    if (told !== undefined) this.#toldSizes.set(group, told + to - from)
    // Between the last answer and the call somebody else has taken away, too: nobody can know.
    if (told !== undefined && to < from && told > from) return
    const { min, max } = this.#watched.boundsOf(group)
    if (to > from ? to > max : to < min) {
      this.violate(
        `${this.actor} set the size of ${group} from ${from} to ${to}, outside ${min}..${max}`,
      )
    }
  }

  #judgeClosing(event: Extract<WorldEvent, { type: 'action-closed' }>): void {
    const { instance, group, hook, result, by } = event
    if (!this.#watched.isOurHook(hook)) return
    // It stays, with all that runs on it.
    if (result === 'ABANDON' && this.#watched.retains(group)) return
    const running = this.#runningOn(instance)
    if (by === 'complete' && this.actor !== null && running > 0) {
      this.violate(`${this.actor} completed the hook of ${instance} while ${running} slices ran`)
    }
    if (
      by === 'timeout' &&
      !this.#isTold(/^(?:machines wait for a hook|the group has several hooks)/) &&
      !this.#refusals.explain(instance, hook, this.#watched.clock.monotonic())
    ) {
      this.violate(`the hook of ${instance} lapsed`)
    }
    if (by === 'cap' && !this.#isTold(new RegExp(`^Auto Scaling ends ${instance} `))) {
      this.violate(`nobody was told of the cap of ${instance}`)
    }
  }

  #isTold(what: RegExp): boolean {
    return this.#watched.lines.some(({ level, message }) => level === 'error' && what.test(message))
  }

  /** What would be ended with the machine. An agent that has ended has sent all it had. */
  #runningOn(instance: string): number {
    if ((this.#excusedMs.get(instance) ?? -1) > this.#watched.clock.monotonic()) return 0
    const node = this.#watched.nomad.nodeOf(instance)
    if (node === undefined || node.Status === 'down') return 0
    return this.#watched.nomad.liveOn(node.ID).length
  }
}

/** Calls that end machines, and which. */
const ENDINGS: Readonly<Record<string, (input: Record<string, unknown>) => string[]>> = {
  TerminateInstanceInAutoScalingGroup: ({ InstanceId }) => [String(InstanceId)],
  TerminateInstances: ({ InstanceIds }) => (InstanceIds as string[]).map(String),
}

/** Virtual time, such as `0:41:07.250`. */
export function formatTime(ms: number): string {
  const [, minutes = '', seconds = ''] = new Date(ms).toISOString().slice(11, 23).split(':')
  return `${Math.floor(ms / 3_600_000)}:${minutes}:${seconds}`
}
