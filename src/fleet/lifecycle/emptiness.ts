/** Whether anything still runs on a node. */
import type { NomadAllocation, NomadClient, NomadNode } from '../../nomad/index.ts'
import { isLive } from '../observe/nomad-side.ts'

/** `gone`: Nomad does not know the node. `eligible`: it takes work again, so nothing can be proven of it. */
export type Emptiness = 'empty' | 'busy' | 'eligible' | 'gone'

/** What is left, told whenever it changes. */
export type OnLeft = (left: readonly NomadAllocation[]) => void

type Nodes = Pick<NomadClient, 'readNode' | 'nodeAllocations' | 'watch'>

/**
 * Two views have to agree. The allocations, read after the node was seen to be ineligible: Nomad places
 * nothing on it from then on, so that what is not in that answer can not come any more. And the drain,
 * which Nomad itself has to call complete: its servers see every namespace, where our token may not, and
 * what a token may not see is left out of lists without a word. The drain alone is not enough either: it
 * is complete at its deadline, whatever still runs then.
 */
export async function proveEmpty(nomad: Nodes, nodeId: string): Promise<Emptiness> {
  const node = await nomad.readNode(nodeId)
  if (node === null) return 'gone'
  if (node.SchedulingEligibility !== 'ineligible') return 'eligible'
  if (!isDrainComplete(node)) return 'busy'
  const live = (await nomad.nodeAllocations(nodeId)).some(isLive)
  return live ? 'busy' : 'empty'
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
    const left = allocations.filter(isLive)
    onLeft(left)
    if (left.length > 0) continue
    const proof = await waitForDrain(nomad, nodeId, signal)
    if (proof !== 'busy') return proof
  }
  return 'busy'
}

async function waitForDrain(nomad: Nodes, nodeId: string, signal: AbortSignal): Promise<Emptiness> {
  for await (const node of nomad.watch('node', nodeId, signal)) {
    const isOpen = node?.SchedulingEligibility === 'ineligible' && !isDrainComplete(node)
    if (!isOpen) return proveEmpty(nomad, nodeId)
  }
  return 'busy'
}

function isDrainComplete({ DrainStrategy, LastDrain }: NomadNode): boolean {
  return !DrainStrategy && LastDrain?.Status === 'complete'
}
