/** What a move can reach: the cluster, its controllers, the weather, and hands of others. */
import { disturb, type Disturbance } from '../../../src/dev/aws/disturbance.ts'
import { Refusal } from '../../../src/dev/aws/index.ts'
import type { PoolPolicy } from '../../../src/fleet/index.ts'
import type { Dice } from '../../faults/search/random.ts'
import type { Cluster } from '../support/cluster.ts'
import type { Mortal } from '../support/mortal.ts'
import { formatTime } from '../support/watch.ts'
import type { Weather } from './weather.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND

/** Something that befalls the cluster. */
export interface Move {
  name: string
  /** @returns what it did, in words; null when there was nothing to do it to. */
  strike: (scene: Scene) => string | null
}

type Group = ReturnType<Cluster['groupOf']>
type Member = Group['members'] extends ReadonlyMap<string, infer Each> ? Each : never

export class Scene {
  readonly cluster: Cluster
  readonly dice: Dice
  readonly weather: Weather
  /** Those that live, the oldest first. */
  controllers: Mortal[] = []
  /** Nodes that a person has taken out, by id. */
  readonly takenOut = new Set<string>()
  /** Machines that a person protects from scale-in. */
  readonly protectedByOthers = new Set<string>()
  /** What happened by the hands of others, in words. */
  readonly story: { at: number; text: string }[] = []

  constructor(cluster: Cluster, dice: Dice, weather: Weather) {
    this.cluster = cluster
    this.dice = dice
    this.weather = weather
  }

  tell(text: string): void {
    this.story.push({ at: this.cluster.clock.monotonic(), text })
  }

  /** Later, by nobody's call; told when it comes. */
  later(ms: number, text: string, run: () => void): void {
    this.cluster.clock.after(ms, () => {
      this.tell(text)
      run()
    })
  }

  pool(): PoolPolicy {
    return this.dice.pick(this.cluster.policies)
  }

  /** One of any group, of those that fit; undefined when none does. */
  member(fits: (member: Member) => boolean = () => true): Member | undefined {
    const members = [...this.cluster.groupOf(this.pool()).members.values()].filter(fits)
    return members.length === 0 ? undefined : this.dice.pick(members)
  }

  /** What is refused to others is their business. @returns whether it was done. */
  call(action: string, input: object, service: 'autoscaling' | 'ec2' = 'autoscaling'): boolean {
    return this.#attempt(() => void this.cluster.aws.call(service, action, input))
  }

  befall(what: Disturbance): boolean {
    return this.#attempt(() => this.cluster.aws.change((world) => disturb(world, what)))
  }

  /** From and to both included. */
  seconds(from: number, to: number): number {
    return this.dice.whole(from, to) * SECOND
  }

  #attempt(run: () => void): boolean {
    try {
      run()
      return true
    } catch (error) {
      if (error instanceof Refusal) return false
      throw error
    }
  }
}

/** For people: `3 min`, `20 s`. */
export function inWords(ms: number): string {
  const seconds = Math.round(ms / SECOND)
  return Math.abs(seconds) < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}

/** All that happened to a cluster, in order: what others did, what controllers said, what AWS did of it. */
export function tellStory({ cluster, story }: Scene): string[] {
  const startMs = cluster.aws.now() - cluster.clock.monotonic()
  const lines = [
    ...story.map(({ at, text }) => ({ at, text: `* ${text}` })),
    ...cluster.lines.map(({ at, level, message, fields: { holder, ...fields } }) => {
      return { at, text: `  ${String(holder)} ${level}: ${message} ${toText(fields)}` }
    }),
    ...cluster.events.flatMap((event) => {
      if (event.type === 'activity') return []
      const { at, type, ...rest } = event
      return [{ at: at - startMs, text: `    aws ${type} ${toText(rest)}` }]
    }),
  ]
  return lines.sort((a, b) => a.at - b.at).map(({ at, text }) => `${formatTime(at)} ${text}`)
}

const FIELD_MAX = 200

function toText(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .map(([key, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      return `${key}=${text.length > FIELD_MAX ? `${text.slice(0, FIELD_MAX)}...` : text}`
    })
    .join(' ')
}
