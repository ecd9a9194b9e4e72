/** Whether anything still runs on a node. */
import type { NomadAllocation, NomadClient } from '../../nomad/index.ts'

/** What its client says is over; `unknown` is not: the node is out of reach, and may well be at work. */
const OVER: ReadonlySet<NomadAllocation['ClientStatus']> = new Set(['complete', 'failed', 'lost'])

/**
 * Allocations that keep a node from going. Those of system jobs run on every node for as long as it is
 * there: they never do. Pure.
 */
export function whatStillRuns(allocations: readonly NomadAllocation[]): NomadAllocation[] {
  return allocations.filter((each) => {
    const type = each.JobType ?? each.Job?.Type ?? ''
    return !OVER.has(each.ClientStatus) && type !== 'system' && type !== 'sysbatch'
  })
}

/** `gone`: Nomad does not know the node. `eligible`: it takes work again, so nothing can be proven of it. */
export type Emptiness = 'empty' | 'busy' | 'eligible' | 'gone'

/** What is left, told whenever it changes. */
export type OnLeft = (left: readonly NomadAllocation[]) => void

type Nodes = Pick<NomadClient, 'readNode' | 'nodeAllocations' | 'watch'>

/**
 * Only what is read after the node was seen to be ineligible counts: Nomad places nothing on it from then
 * on, so that an allocation which is not in that answer can not come any more.
 */
export async function proveEmpty(nomad: Nodes, nodeId: string): Promise<Emptiness> {
  const node = await nomad.readNode(nodeId)
  if (node === null) return 'gone'
  if (node.SchedulingEligibility !== 'ineligible') return 'eligible'
  const left = whatStillRuns(await nomad.nodeAllocations(nodeId))
  return left.length === 0 ? 'empty' : 'busy'
}

/**
 * Waits until the node is proven empty, by blocking queries: within a second after its last allocation.
 *
 * @returns `busy` only when the signal aborts before. @throws what Nomad refuses.
 */
export async function waitUntilEmpty(
  nomad: Nodes,
  nodeId: string,
  { signal, onLeft = () => undefined }: { signal: AbortSignal; onLeft?: OnLeft },
): Promise<Emptiness> {
  for await (const allocations of nomad.watch('nodeAllocations', nodeId, signal)) {
    if (allocations === null) return 'gone'
    const left = whatStillRuns(allocations)
    onLeft(left)
    if (left.length > 0) continue
    const proof = await proveEmpty(nomad, nodeId)
    if (proof !== 'busy') return proof
  }
  return 'busy'
}
