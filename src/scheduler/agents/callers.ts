/**
 * Who calls, and whether it still has a say.
 *
 * Looked up in memory. Only for a slice that nobody has to look after any more are the rows read: its
 * agent may still repeat a call whose answer was lost.
 */
import {
  isResult,
  parseSliceKey,
  type AgentRefusal,
  type BuildId,
  type SliceKey,
} from '../../model/index.ts'
import type { Leases } from '../leases.ts'
import type { OpenSlices } from '../open-slices.ts'
import type { AgentCaller, AgentOutcome } from '../ports.ts'
import {
  readAttempt,
  readSlice,
  type AttemptPlace,
  type AttemptRow,
  type Reader,
  type SliceRow,
} from '../store/index.ts'
import { hashSession, isSameSecret } from './tokens.ts'

export interface KnownCaller {
  key: SliceKey
  place: AttemptPlace
  slice: SliceRow
  attempt: AttemptRow
  /** The slice has its result, and it is this agent's: it may hear so again, but change nothing. */
  isOver: boolean
}

/** @param late true where a slice that ended without its agent's word is still listened to. */
export type Identify = (caller: AgentCaller, late?: boolean) => Promise<AgentOutcome<KnownCaller>>

export function createIdentify(deps: { open: OpenSlices; read: Reader; leases: Leases }): Identify {
  const { open, read, leases } = deps
  return async (caller, late = false) => {
    const place = placeOfCaller(caller)
    if (place === null) return refuse('fenced')
    const known = open.get(caller.slice)
    const slice = known?.slice ?? (await readSlice(read, place))
    if (slice === null || slice.epoch !== caller.epoch) return refuse('fenced')
    const attempt = known === undefined ? await readAttempt(read, place) : known.attempt
    if (attempt === null || !isSameSecret(hashSession(caller.session), attempt.session_hash)) {
      return refuse('bad_token')
    }
    const isOver = isResult(slice.state)
    if (isOver && !late && attempt.reported_reason === null) return refuse('fenced')
    if (!isOver) leases.heard(caller.slice)
    return { ok: true, value: { key: caller.slice, place, slice, attempt, isOver } }
  }
}

export function refuse(refusal: AgentRefusal): { ok: false; refusal: AgentRefusal } {
  return { ok: false, refusal }
}

export function placeOfCaller(caller: { slice: string; epoch: number }): AttemptPlace | null {
  const parsed = parseSliceKey(caller.slice)
  return (
    parsed && { build: parsed.build satisfies BuildId, index: parsed.index, epoch: caller.epoch }
  )
}
