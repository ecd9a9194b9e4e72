/**
 * Which drains would end, at a deadline, what still runs then. Lists do not tell: a node that is being drained
 * is read once, and again whenever it has changed.
 */
import type { NomadNode } from '../../nomad/index.ts'
import type { FleetNomad } from '../ports.ts'

/** In one look; the others have their turn in the next one. A deadline is minutes, or an hour. */
const READS_MAX = 16

/** Less is no deadline but an order to stop at once, and has been followed by the time it is seen. */
const DEADLINE_LEAST_NS = 1e9

export class DrainDeadlines {
  readonly #nomad: Pick<FleetNomad, 'readNode'>
  readonly #known = new Map<string, { index: number; hasDeadline: boolean }>()

  constructor(nomad: Pick<FleetNomad, 'readNode'>) {
    this.#nomad = nomad
  }

  /** @returns the ids of nodes whose drain is known to have one. */
  async find(nodes: readonly NomadNode[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const draining = nodes.filter(({ Drain }) => Drain)
    const here = new Set(draining.map(({ ID }) => ID))
    for (const id of this.#known.keys()) if (!here.has(id)) this.#known.delete(id)
    const changed = draining.filter(
      ({ ID, ModifyIndex }) => this.#known.get(ID)?.index !== ModifyIndex,
    )
    await Promise.all(changed.slice(0, READS_MAX).map((node) => this.#read(node, signal)))
    return new Set([...this.#known].flatMap(([id, { hasDeadline }]) => (hasDeadline ? [id] : [])))
  }

  async #read({ ID, ModifyIndex: index }: NomadNode, signal: AbortSignal): Promise<void> {
    try {
      const node = await this.#nomad.readNode(ID, { signal })
      const hasDeadline = (node?.DrainStrategy?.Deadline ?? 0) > DEADLINE_LEAST_NS
      this.#known.set(ID, { index, hasDeadline })
    } catch (cause) {
      // What was known of it stands; the next look asks again.
      if (signal.aborted) throw cause
    }
  }
}
