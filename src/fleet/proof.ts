/**
 * When nothing runs on a node any more: the one rule, for the controller, the daemon and the commands. Pure.
 *
 * Two views have to agree. The allocations, read after the node was seen to be ineligible: Nomad places
 * nothing on it from then on. And the drain, which Nomad itself has to call complete: its servers see every
 * namespace, where our token may not, and what a token may not see is left out of lists without a word. The
 * drain alone is not enough either: it is complete at its deadline, whatever still runs then.
 *
 * A node that is down is another case: nobody can say what runs there, and who asks has to wait.
 */
import type { NomadNode } from '../nomad/index.ts'

export interface DrainFacts {
  isEligible: boolean
  isDraining: boolean
  /** Ineligible, and Nomad has called its last drain complete. */
  isDrained: boolean
}

export interface Doubt {
  kind: 'eligible' | 'running' | 'not drained'
  text: string
}

/**
 * A placement that Nomad's plan had decided before the cordon is written at most this much later; what is
 * read after that shows it.
 */
export const SETTLE_MS = 3000

type DrainAnswer = Pick<
  NomadNode,
  'Drain' | 'DrainStrategy' | 'LastDrain' | 'SchedulingEligibility'
>

/** Of a whole node, or of one in a list: those have no strategy, only whether there is one. */
export function drainFactsOf({
  Drain,
  DrainStrategy,
  LastDrain,
  SchedulingEligibility,
}: DrainAnswer): DrainFacts {
  const isEligible = SchedulingEligibility !== 'ineligible'
  const isDraining = Drain || Boolean(DrainStrategy)
  const isDrained = !isEligible && !isDraining && LastDrain?.Status === 'complete'
  return { isEligible, isDraining, isDrained }
}

/** @param live how many allocations run or may run there, by a later reading. @returns null when it is empty. */
export function doubtOf({ isEligible, isDrained }: DrainFacts, live: number): Doubt | null {
  if (isEligible) return { kind: 'eligible', text: 'its node is eligible' }
  if (live > 0) return { kind: 'running', text: `${live} allocations run on its node` }
  if (isDrained) return null
  return { kind: 'not drained', text: NOT_DRAINED }
}

/** Nomad leaves system jobs alone when it is told to, and waits for those that run once on every node. */
const NOT_DRAINED =
  'Nomad does not call its drain complete: a sysbatch job, or what our token may not see, may run there'

/** Made ineligible without a drain, or with one that somebody took back, it could never be proven empty. */
export function lacksDrain({ isDraining, isDrained }: DrainFacts): boolean {
  return !isDraining && !isDrained
}
