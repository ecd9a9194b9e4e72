/**
 * The changes that follow from one look, as long as there is time for them. Meanwhile no other machine is seen
 * to wait for us, and the shortest hook holds for 30 s: neither a Nomad that hangs nor calls that are slow may
 * hold up the next look.
 */
import { deadline, type Clock } from '../platform/index.ts'
import { carryOut, type ActorDeps, type ActorNomad } from './actor.ts'
import type { Intent } from './intents.ts'
import type { Outcome } from './learn.ts'

export type Act = (intent: Intent) => Promise<Outcome>

/** What has not begun by then is planned anew by the next look. */
const CHANGES_MS = 10_000

const PUT_OFF: Outcome = { kind: 'refused', text: 'it is put off to the next look' }

/** The time begins now, for all that is given to the function that comes back. */
export function beginChanges(deps: ActorDeps & { clock: Clock }, signal: AbortSignal): Act {
  const { clock } = deps
  const endMs = clock.monotonic() + CHANGES_MS
  const bounded = { ...deps, nomad: boundNomad(deps.nomad, clock, endMs) }
  return async (intent) => (clock.monotonic() > endMs ? PUT_OFF : carryOut(intent, bounded, signal))
}

/**
 * The same calls, with one end for all of them, however many there are: what comes too late fails, and is
 * planned anew by the next look.
 *
 * @param endMs monotonic.
 */
export function boundNomad(nomad: ActorNomad, clock: Clock, endMs: number): ActorNomad {
  const inTime = async <Answer>(
    signal: AbortSignal | undefined,
    call: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> => {
    const leftMs = endMs - clock.monotonic()
    if (leftMs <= 0) throw new Error('there is no time left for it: the next look decides')
    const ends = deadline(clock, leftMs, signal)
    try {
      return await call(ends.signal)
    } finally {
      ends.cancel()
    }
  }
  return {
    readNode: (id, options) =>
      inTime(options?.signal, (signal) => nomad.readNode(id, { ...options, signal })),
    nodeAllocations: (id, options) =>
      inTime(options?.signal, (signal) => nomad.nodeAllocations(id, { ...options, signal })),
    drainNode: (id, drain, options) =>
      inTime(options?.signal, (signal) => nomad.drainNode(id, drain, { ...options, signal })),
    purgeNode: (id, options) =>
      inTime(options?.signal, (signal) => nomad.purgeNode(id, { ...options, signal })),
  }
}
