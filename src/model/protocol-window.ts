/** Which versions of the agent protocol a program speaks, so that neighbouring versions work together. */
import { PROTOCOL_VERSION } from './agent-protocol.ts'

/** Both ends included. */
export interface ProtocolWindow {
  oldest: number
  newest: number
}

/** This program's. The one before is spoken too, so that servers and clients need not change in one moment. */
export const PROTOCOLS: ProtocolWindow = windowOf(PROTOCOL_VERSION)

/** What a program speaks whose newest protocol this is. There has never been one before 1. */
export function windowOf(newest: number): ProtocolWindow {
  return { oldest: Math.max(1, newest - 1), newest }
}

/** @returns the newest that both speak; null when there is none. */
export function agreeOnProtocol(one: ProtocolWindow, other: ProtocolWindow): number | null {
  const newest = Math.min(one.newest, other.newest)
  return newest >= Math.max(one.oldest, other.oldest) ? newest : null
}
