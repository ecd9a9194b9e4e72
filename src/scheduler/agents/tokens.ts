/**
 * What an agent proves itself with.
 *
 * Both tokens are derived from the server's key, so neither is stored: the claim token goes into the
 * Nomad job, the session is made when a claim id first comes and comes out the same when it is repeated.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { SliceKey } from '../../model/index.ts'

/** Proves that its bearer was started by the Nomad job of this epoch. */
export function toClaimToken(serverKey: Uint8Array, slice: SliceKey, epoch: number): string {
  return sign(serverKey, `claim/${slice}/${epoch}`)
}

/** Proves that its bearer is the process that claimed this epoch. */
export function toSession(
  serverKey: Uint8Array,
  place: { slice: SliceKey; epoch: number; claimId: string },
): string {
  // The claim id, which the agent chose, comes last: nothing it holds can be read as another part.
  return sign(serverKey, `session/${place.slice}/${place.epoch}/${place.claimId}`)
}

/** How a session is stored. */
export function hashSession(session: string): string {
  return createHash('sha256').update(session).digest('hex')
}

/** Compares in a time that tells nothing about where the texts differ. */
export function isSameSecret(given: string, expected: string): boolean {
  // Hashed first, since the comparison wants equal lengths and the length is no secret to give away.
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}

function sign(serverKey: Uint8Array, text: string): string {
  return createHmac('sha256', serverKey).update(text).digest('base64url')
}
