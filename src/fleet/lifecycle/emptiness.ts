/** Whether anything still runs on a node. */
import type { NomadAllocation, NomadClient } from '../../nomad/index.ts'
import { sleep, type Clock } from '../../platform/index.ts'
import { isLive } from '../observe/nomad-side.ts'
import { RENEW_MS, renewDrain } from './drain.ts'
import { doubtOf, drainFactsOf, SETTLE_MS } from '../proof.ts'

/** `gone`: Nomad does not know the node. `eligible`: it takes work again, so nothing can be proven of it. */
export type Emptiness = 'empty' | 'busy' | 'eligible' | 'gone'

/** What is left, told whenever it changes. */
export type OnLeft = (left: readonly NomadAllocation[]) => void

type Nodes = Pick<NomadClient, 'readNode' | 'nodeAllocations' | 'watch' | 'drainNode'>

/** By the rule of proof.ts, from two readings in its order. */
export async function proveEmpty(
  nomad: Pick<Nodes, 'readNode' | 'nodeAllocations'>,
  nodeId: string,
): Promise<Emptiness> {
  const node = await nomad.readNode(nodeId)
  if (node === null) return 'gone'
  const live = (await nomad.nodeAllocations(nodeId)).filter(isLive).length
  const doubt = doubtOf(drainFactsOf(node), live)
  if (doubt === null) return 'empty'
  return doubt.kind === 'eligible' ? 'eligible' : 'busy'
}

export interface EmptyWait {
  clock: Clock
  signal: AbortSignal
  onLeft?: OnLeft
  /** How long after the drain a placement that was decided before it may still show. */
  settleMs?: number | undefined
}

/**
 * Waits until a node that is being drained is proven empty, by blocking queries: within a second after its
 * last allocation. One that had none is proven when what was decided before the drain would show.
 *
 * @returns `busy` only when the signal aborts before. @throws what Nomad refuses.
 */
export async function waitUntilEmpty(
  nomad: Nodes,
  nodeId: string,
  { clock, signal, onLeft = () => undefined, settleMs = SETTLE_MS }: EmptyWait,
): Promise<Emptiness> {
  const settledMs = clock.monotonic() + settleMs
  for await (const allocations of nomad.watch('nodeAllocations', nodeId, signal)) {
    if (allocations === null) return 'gone'
    const left = allocations.filter(isLive)
    onLeft(left)
    if (left.length > 0) continue
    let proof = await waitForDrain(nomad, nodeId, { clock, signal })
    if (proof === 'empty' && clock.monotonic() < settledMs) {
      await sleep(clock, settledMs - clock.monotonic(), signal)
      proof = await waitForDrain(nomad, nodeId, { clock, signal })
    }
    if (proof !== 'busy') return proof
  }
  return 'busy'
}

async function waitForDrain(
  nomad: Nodes,
  nodeId: string,
  { clock, signal }: Pick<EmptyWait, 'clock' | 'signal'>,
): Promise<Emptiness> {
  const ends = new AbortController()
  const until = AbortSignal.any([signal, ends.signal])
  const renew = async (): Promise<void> => {
    while (await sleep(clock, RENEW_MS, until)) await renewDrain(nomad, nodeId, until)
  }
  // What it throws ends the wait.
  const renewing = renew().catch((cause: unknown) => {
    if (!until.aborted) throw cause
  })
  const ended = renewing.finally(() => ends.abort())
  try {
    for await (const node of nomad.watch('node', nodeId, until)) {
      const { isEligible, isDrained } = node === null ? GONE : drainFactsOf(node)
      if (isEligible || isDrained) return await proveEmpty(nomad, nodeId)
    }
    return 'busy'
  } finally {
    ends.abort()
    await ended
  }
}

/** What is asked of a node that is not there is answered by reading it once more. */
const GONE = { isEligible: true, isDrained: false }
