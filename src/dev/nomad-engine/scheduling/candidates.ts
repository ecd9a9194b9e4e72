/** Which nodes may be looked at for a job at all: ready, in its pool, in one of its datacenters. */
import type { Job } from '../objects/job.ts'
import { isPlaceable } from '../objects/node.ts'
import type { Node } from '../objects/node.ts'
import type { View } from '../state/state.ts'

export interface CandidateNodes {
  nodes: readonly Node[]
  /** Count by datacenter, for the metric. */
  available: Record<string, number>
}

/** Remembers the answer until a node changes: placing thousands of jobs must not filter anew each time. */
export class Candidates {
  readonly #known = new Map<string, CandidateNodes>()
  #version = -1

  of(view: View, job: Job): CandidateNodes {
    if (this.#version !== view.indexes.nodesVersion) {
      this.#known.clear()
      this.#version = view.indexes.nodesVersion
    }
    const key = [job.NodePool, ...job.Datacenters].join('\0')
    const known = this.#known.get(key) ?? selectNodes(view, job)
    this.#known.set(key, known)
    return known
  }
}

function selectNodes(view: View, job: Job): CandidateNodes {
  const nodes = [...view.tables.node.rows.values()].filter(
    (node) => isPlaceable(node) && isInReach(node, job),
  )
  const available: Record<string, number> = {}
  for (const { Datacenter } of nodes) available[Datacenter] = (available[Datacenter] ?? 0) + 1
  return { nodes, available }
}

export function isInReach(node: Node, job: Pick<Job, 'NodePool' | 'Datacenters'>): boolean {
  const isInPool = job.NodePool === 'all' || node.NodePool === job.NodePool
  return isInPool && job.Datacenters.some((pattern) => matchesGlob(node.Datacenter, pattern))
}

/** `*` stands for any text, as in `datacenters = ["us-*"]`. */
function matchesGlob(text: string, pattern: string): boolean {
  if (!pattern.includes('*')) return text === pattern
  const parts = pattern
    .split('*')
    .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`).test(text)
}
