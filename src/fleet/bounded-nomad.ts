/** Nomad, for the changes that follow from one look. */
import { deadline, type Clock } from '../platform/index.ts'
import type { FleetNomad } from './ports.ts'

export type ActorNomad = Pick<
  FleetNomad,
  'readNode' | 'nodeAllocations' | 'drainNode' | 'purgeNode'
>

/** While a change waits, no other machine is seen to wait for us, and the shortest hook holds for 30 s. */
const CHANGES_MS = 10_000

/**
 * The same calls, with one end for all of them, however many there are: what comes too late fails, and is
 * planned anew by the next look.
 */
export function boundNomad(nomad: ActorNomad, clock: Clock): ActorNomad {
  const endMs = clock.monotonic() + CHANGES_MS
  const inTime = async <Answer>(
    signal: AbortSignal | undefined,
    call: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> => {
    const leftMs = endMs - clock.monotonic()
    if (leftMs <= 0) {
      const seconds = CHANGES_MS / 1000
      throw new Error(`Nomad took ${seconds} s for what was before this: the next look decides`)
    }
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
