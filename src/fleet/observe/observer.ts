/** One look at everything: who is asked, in which order, and what may fail without harm. */
import { awsProblemOf, deadline, sleep, type Clock, type Log } from '../../platform/index.ts'
import type { PoolPolicy } from '../policy.ts'
import type { Demand, DemandSource, FleetGroups, FleetNomad, Orders } from '../ports.ts'
import type { DeadNodeView, PoolView } from '../view.ts'
import { AwsReader, type AwsSide, type OnGroup } from './aws-side.ts'
import { DrainDeadlines } from './drain-deadlines.ts'
import { toPoolViews } from './look.ts'
import { NodeIdentities, readNomad, type NomadSide, type SeenNode } from './nomad-side.ts'

export interface ObserverDeps {
  policies: readonly PoolPolicy[]
  /** Of a region. */
  awsOf: (region: string) => FleetGroups
  nomad: FleetNomad
  demand: DemandSource
  clock: Clock
  /** The steady time. */
  now: () => number
  log: Log
}

export interface Look {
  /** By pool; those whose group could not be read are missing. */
  views: Map<string, PoolView>
  /** What could not be read, in words. */
  faults: string[]
}

const NOMAD_MS = 10_000
const DEMAND_MS = 3000
const AWS_MS = 30_000
/** Before AWS is asked again within a look, and when it has throttled the last time. */
const AGAIN_MS = { failed: 500, throttled: 3000 }
/** Between two questions about the same machine that is in no list any more. */
const GONE_MS = 20_000

/** Made once: an abort without a reason makes one with a stack each time. */
const ANSWERED = new Error('all others have answered')

export class Observer {
  readonly #deps: ObserverDeps
  readonly #readers: { reader: AwsReader; aws: FleetGroups; policies: PoolPolicy[] }[]
  readonly #identities: NodeIdentities
  readonly #deadlines: DrainDeadlines
  #demand: { demand: Demand; atMs: number } | null = null
  /** Which group a machine was in, as long as its node is known. */
  readonly #groupOf = new Map<string, string>()
  readonly #gone = new Map<string, { state: DeadNodeView['instance']; atMs: number }>()

  constructor(deps: ObserverDeps) {
    this.#deps = deps
    this.#identities = new NodeIdentities(deps.nomad)
    this.#deadlines = new DrainDeadlines(deps.nomad)
    const regions = Map.groupBy(deps.policies, ({ region }) => region)
    this.#readers = [...regions].map(([region, policies]) => {
      const aws = deps.awsOf(region)
      const names = policies.map(({ group }) => group)
      return { reader: new AwsReader(aws, names, deps.log), aws, policies }
    })
  }

  /**
   * Never throws but for the signal: what can not be read is told, and missing.
   *
   * @param onGroup told of each group and its hooks while all else is still being read.
   */
  async look(orders: Orders, signal: AbortSignal, onGroup: OnGroup): Promise<Look> {
    const { now, policies } = this.#deps
    const startedMs = now()
    const faults: string[] = []
    const orNull = async <T>(
      what: string,
      ms: number,
      read: (signal: AbortSignal) => Promise<T>,
    ) => {
      const ends = deadline(this.#deps.clock, ms, signal)
      try {
        return await read(ends.signal)
      } catch (cause) {
        if (signal.aborted) throw cause
        this.#deps.log.warn('a part of the fleet could not be read', { what, cause })
        faults.push(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`)
        return null
      } finally {
        ends.cancel()
      }
    }
    const parts = { identities: this.#identities, deadlines: this.#deadlines }
    const answered = new AbortController()
    const others = Promise.all([
      orNull('Nomad', NOMAD_MS, (inner) => readNomad(this.#deps.nomad, parts, inner)),
      orNull('demand', DEMAND_MS, (inner) => this.#deps.demand.read(inner)),
    ]).finally(() => answered.abort(ANSWERED))
    const [[nomad, demand], ...sides] = await Promise.all([
      others,
      ...this.#readers.map(({ reader, aws: { region } }) =>
        orNull(`Auto Scaling in ${region}`, AWS_MS, (inner) =>
          this.#untilRead(() => reader.read(startedMs, inner, onGroup), inner, answered.signal),
        ),
      ),
    ])
    if (demand !== null) this.#demand = { demand, atMs: startedMs }
    const views = new Map<string, PoolView>()
    for (const [at, { aws, policies: own }] of this.#readers.entries()) {
      const side = sides[at] ?? null
      if (side === null) continue
      const gone =
        (await orNull('instances that are gone', AWS_MS, (inner) =>
          this.#askGone(aws, side, nomad, startedMs, inner),
        )) ?? new Map<string, DeadNodeView['instance']>()
      const common = { startedMs, aws: side, nomad, demand: this.#demand, gone, orders, policies }
      for (const [index, view] of toPoolViews(common, own).entries()) {
        views.set(own[index]?.name ?? '', view)
      }
    }
    return { views, faults }
  }

  /**
   * Machines that wait must be seen soon, and the next look begins only when this one has everything: that is
   * ten seconds when Nomad hangs, of the thirty that the shortest hook waits. So AWS is asked again meanwhile.
   */
  async #untilRead<T>(
    read: () => Promise<T>,
    signal: AbortSignal,
    answered: AbortSignal,
  ): Promise<T> {
    for (;;) {
      try {
        return await read()
      } catch (cause) {
        const problem = awsProblemOf(cause)
        if (signal.aborted || (problem !== 'unreachable' && problem !== 'throttled')) throw cause
        const restMs = problem === 'throttled' ? AGAIN_MS.throttled : AGAIN_MS.failed
        await sleep(this.#deps.clock, restMs, AbortSignal.any([signal, answered]))
        if (signal.aborted || answered.aborted) throw cause
        this.#deps.log.warn('AWS is asked once more', { cause })
      }
    }
  }

  /** Something was changed in AWS: the next look asks again. */
  forget(): void {
    for (const { reader } of this.#readers) reader.forget()
  }

  /**
   * What EC2 says of machines whose nodes are down and which their group does not list any more. Only those
   * are asked for that were seen in a group: of others nobody knows whose they are.
   *
   * @returns by group and instance id.
   */
  async #askGone(
    aws: FleetGroups,
    { groups }: AwsSide,
    nomad: NomadSide | null,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<Map<string, DeadNodeView['instance']>> {
    let listed = 0
    for (const group of groups.values()) {
      for (const { instanceId } of group.instances) this.#groupOf.set(instanceId, group.name)
      listed += group.instances.length
    }
    const nodes = nomad?.nodes ?? []
    const isDown = ({ status, instanceId }: SeenNode) => status === 'down' && instanceId !== null
    // Nothing has left, and nothing is down.
    if (this.#groupOf.size === listed && this.#gone.size === 0 && !nodes.some(isDown)) {
      return new Map()
    }
    const members = new Set(
      [...groups.values()].flatMap(({ instances }) =>
        instances.map(({ instanceId }) => instanceId),
      ),
    )
    const named = new Set(nodes.flatMap(({ instanceId }) => instanceId ?? []))
    for (const [id, group] of this.#groupOf) {
      if (groups.has(group) && !members.has(id) && !named.has(id)) this.#groupOf.delete(id)
    }
    const dead = nodes
      .filter(isDown)
      .map(({ instanceId }) => instanceId ?? '')
      .filter((id) => !members.has(id) && groups.has(this.#groupOf.get(id) ?? ''))
    const stale = dead.filter((id) => nowMs - (this.#gone.get(id)?.atMs ?? -Infinity) >= GONE_MS)
    if (stale.length > 0) {
      const found = new Map(
        (await aws.readInstances(stale, { signal })).map((each) => [each.instanceId, each.state]),
      )
      for (const id of stale) this.#gone.set(id, { state: found.get(id) ?? 'absent', atMs: nowMs })
    }
    for (const id of this.#gone.keys()) if (!named.has(id)) this.#gone.delete(id)
    return new Map(
      dead.map((id) => [`${this.#groupOf.get(id)} ${id}`, this.#gone.get(id)?.state ?? 'unknown']),
    )
  }
}
