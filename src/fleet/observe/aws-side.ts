/** What AWS shows of the pools of one region, asked for as seldom as each of it changes. */
import type {
  AwsActivity,
  AwsGroup,
  AwsHook,
  AwsInstance,
  AwsMember,
  AwsTemplate,
  Log,
} from '../../platform/index.ts'
import type { FleetGroups } from '../ports.ts'

/** While nothing moves in any group, what they were like is good for so long: builds come and go all the time. */
const GROUPS_MS = 4500
/** What changes when people change it. Twenty groups cost a dozen calls a minute. */
const SLOW_MS = 5 * 60_000
/** While machines wait for a hook, its times count. */
const HOOKS_WHILE_WAITING_MS = 30_000
/** All instances that were launched for the groups, in them or not. */
const SWEEP_MS = 5 * 60_000
/** Why launches fail is asked while machines are missing. */
const ACTIVITIES_MS = 15_000
const ACTIVITIES = 20
/** Of machines, for the time of their launch and their address: new ones, in bulk. */
const FACTS_MS = 15_000

interface SlowFacts {
  hooks: AwsHook[]
  hooksAtMs: number
  /** Null when it could not be read. */
  isRefreshing: boolean | null
  newest: AwsTemplate | null
  atMs: number
}

interface GroupState {
  slow: SlowFacts | null
  activities: AwsActivity[]
  activitiesAtMs: number
}

export interface AwsSide {
  groups: ReadonlyMap<string, AwsGroup>
  /** By group. */
  slow: Map<string, SlowFacts>
  activities: Map<string, AwsActivity[]>
  facts: ReadonlyMap<string, AwsInstance>
  /** Launched for a group and running outside of it, by the last sweep; null when it failed. */
  swept: AwsInstance[] | null
  /** In warm pools, which groups do not list, by the last sweep. */
  warm: AwsMember[]
}

export type OnGroup = (group: AwsGroup, hooks: readonly AwsHook[]) => void

export class AwsReader {
  readonly #aws: FleetGroups
  readonly #names: readonly string[]
  readonly #log: Log
  readonly #states = new Map<string, GroupState>()
  readonly #facts = new Map<string, AwsInstance>()
  /** Those of whose machines all facts are known. */
  #factsOf: ReadonlyMap<string, AwsGroup> | null = null
  #factsAtMs = -Infinity
  #groups: ReadonlyMap<string, AwsGroup> | null = null
  #groupsAtMs = -Infinity
  #swept: AwsInstance[] | null = null
  #warm: AwsMember[] = []
  #sweptAtMs = -Infinity

  constructor(aws: FleetGroups, names: readonly string[], log: Log) {
    this.#aws = aws
    this.#names = names
    this.#log = log
  }

  /**
   * @param onGroup told of each group and its hooks as soon as they are known, and again when they are read anew.
   * @throws CaravanError when the groups themselves can not be read: nothing is known then.
   */
  async read(nowMs: number, signal: AbortSignal, onGroup: OnGroup): Promise<AwsSide> {
    const groups = await this.#readGroups(nowMs, signal)
    const tell = (group: AwsGroup) => {
      onGroup(group, this.#states.get(group.name)?.slow?.hooks ?? [])
    }
    // By the hooks of the look before: what follows may take as long as the shortest hook waits.
    for (const group of groups.values()) tell(group)
    for (const group of groups.values()) {
      await this.#refresh(group, nowMs, signal)
      tell(group)
    }
    await this.#readFacts(groups, nowMs, signal)
    await this.#sweep(groups, nowMs, signal)
    const states = [...this.#states]
    return {
      groups,
      slow: new Map(states.flatMap(([name, { slow }]) => (slow ? [[name, slow] as const] : []))),
      activities: new Map(states.map(([name, { activities }]) => [name, activities])),
      facts: this.#facts,
      swept: this.#swept,
      warm: this.#warm,
    }
  }

  /** Something was changed: the next look asks again. */
  forget(): void {
    this.#groupsAtMs = -Infinity
  }

  async #readGroups(nowMs: number, signal: AbortSignal): Promise<ReadonlyMap<string, AwsGroup>> {
    const isFresh = nowMs - this.#groupsAtMs < GROUPS_MS
    if (this.#groups !== null && isFresh && [...this.#groups.values()].every(isSettled)) {
      return this.#groups
    }
    const read = await this.#aws.readGroups(this.#names, { signal })
    this.#groups = new Map(read.map((group) => [group.name, group]))
    this.#groupsAtMs = nowMs
    return this.#groups
  }

  async #refresh(group: AwsGroup, nowMs: number, signal: AbortSignal): Promise<void> {
    const state = this.#states.get(group.name) ?? {
      slow: null,
      activities: [],
      activitiesAtMs: -Infinity,
    }
    this.#states.set(group.name, state)
    const isWaiting = group.instances.some(({ lifecycle }) => lifecycle.endsWith(':Wait'))
    const { slow } = state
    if (slow === null || nowMs - slow.atMs >= SLOW_MS) {
      state.slow =
        (await this.#try('slow facts', () => this.#readSlow(group, nowMs, signal))) ?? slow
    } else if (isWaiting && nowMs - slow.hooksAtMs >= HOOKS_WHILE_WAITING_MS) {
      const hooks = await this.#try('hooks', () => this.#aws.readHooks(group.name, { signal }))
      if (hooks !== null) Object.assign(slow, { hooks, hooksAtMs: nowMs })
    }
    const living = group.instances.filter(({ lifecycle }) => !lifecycle.startsWith('Terminat'))
    // One that a launching hook has ended is followed by the next: the group is never short for long.
    const isHeld = living.some(({ lifecycle }) => lifecycle === 'Pending:Wait')
    const isShort = living.length < group.desired || isHeld
    if (isShort && nowMs - state.activitiesAtMs >= ACTIVITIES_MS) {
      state.activitiesAtMs = nowMs
      const read = () => this.#aws.readActivities(group.name, ACTIVITIES, { signal })
      state.activities = (await this.#try('activities', read)) ?? []
    }
  }

  async #readSlow(group: AwsGroup, nowMs: number, signal: AbortSignal): Promise<SlowFacts> {
    const [hooks, isRefreshing, newest] = await Promise.all([
      this.#aws.readHooks(group.name, { signal }),
      this.#try('refreshes', () => this.#aws.isRefreshing(group.name, { signal })),
      this.#readNewest(group, signal),
    ])
    return { hooks, hooksAtMs: nowMs, isRefreshing, newest, atMs: nowMs }
  }

  async #readNewest({ template }: AwsGroup, signal: AbortSignal): Promise<AwsTemplate | null> {
    if (template === null || !template.version.startsWith('$')) return template
    const { id, version } = template
    const found = await this.#try('the launch template', () =>
      this.#aws.readTemplateVersion(id, version, { signal }),
    )
    return found === null ? null : { id, version: found.version }
  }

  /** When new machines were launched, and where they are; told once, it stays so. */
  async #readFacts(
    groups: ReadonlyMap<string, AwsGroup>,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (groups === this.#factsOf) return
    const ids = [...groups.values()].flatMap(({ instances }) =>
      instances.map(({ instanceId }) => instanceId),
    )
    const unknown = ids.filter((id) => !this.#facts.has(id))
    // Some of those that are known are in no list any more.
    if (this.#facts.size > ids.length - unknown.length) {
      const listed = new Set(ids)
      for (const id of this.#facts.keys()) if (!listed.has(id)) this.#facts.delete(id)
    }
    if (unknown.length > 0 && nowMs - this.#factsAtMs >= FACTS_MS) {
      this.#factsAtMs = nowMs
      // What EC2 does not know yet is asked for again: "not found" is not "gone" for a fresh machine.
      const found = await this.#try('new instances', () =>
        this.#aws.readInstances(unknown, { signal }),
      )
      for (const instance of found ?? []) this.#facts.set(instance.instanceId, instance)
    }
    if (this.#facts.size === ids.length) this.#factsOf = groups
  }

  async #sweep(
    groups: ReadonlyMap<string, AwsGroup>,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (nowMs - this.#sweptAtMs < SWEEP_MS) return
    this.#sweptAtMs = nowMs
    const found = await this.#try('all instances', () =>
      this.#aws.findInstances(this.#names, { signal }),
    )
    const members = new Set(
      [...groups.values()].flatMap(({ instances }) =>
        instances.map(({ instanceId }) => instanceId),
      ),
    )
    // Of those in their group now, some will have gone their way when this is looked at again.
    const outside = found?.filter(({ instanceId }) => !members.has(instanceId)) ?? null
    this.#swept = outside === null ? null : await this.#inNoGroup(outside, signal)
  }

  /** Lists of groups leave out what a warm pool keeps. */
  async #inNoGroup(
    instances: readonly AwsInstance[],
    signal: AbortSignal,
  ): Promise<AwsInstance[] | null> {
    const ids = instances.map(({ instanceId }) => instanceId)
    const members =
      ids.length === 0
        ? []
        : await this.#try('whether instances are in a group', () =>
            this.#aws.readMembers(ids, { signal }),
          )
    if (members === null) return null
    this.#warm = members.filter(isWarm)
    const inGroups = new Set(members.map(({ instanceId }) => instanceId))
    return instances.filter(({ instanceId }) => !inGroups.has(instanceId))
  }

  /** What is not needed for a decision may fail: it is asked for again. */
  async #try<T>(what: string, read: () => Promise<T>): Promise<T | null> {
    try {
      return await read()
    } catch (cause) {
      this.#log.warn('AWS could not be asked', { what, region: this.#aws.region, cause })
      return null
    }
  }
}

function isWarm({ lifecycle }: AwsMember): boolean {
  return lifecycle.startsWith('Warmed:')
}

function isSettled({ instances, desired }: AwsGroup): boolean {
  const inService = instances.filter(({ lifecycle }) => lifecycle === 'InService').length
  return inService === desired && instances.length === inService
}
