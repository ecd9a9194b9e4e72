/** Reads: headers that Nomad's own client needs on every one of them, and blocking queries. */
import { parseDurationMs } from '../../../model/index.ts'
import type { RandomSource } from '../../../platform/index.ts'
import { REGION } from '../operations/jobs.ts'
import { Refusal } from '../operations/refusal.ts'
import type { TableName } from '../state/rows.ts'
import type { Watch } from '../state/watch.ts'
import { json, readInteger } from './call.ts'
import type { Call, Reply } from './call.ts'

export interface Reading {
  /** What the answer is made of: news in these may wake a blocked query. */
  tables: readonly TableName[]
  /** The answer's index as of now. Cheap: asked after every change while a query blocks. */
  index(): number
  /** Made once, when the answer is due. @throws Refusal */
  value(): unknown
  /** Further headers, after `value` was made. */
  headers?(): Record<string, string>
}

/** Nomad's default and maximum, to which it adds up to a sixteenth. */
const WAIT_MAX_MS = 300_000
const JITTER_SHARE = 1 / 16

export interface ReadDeps {
  watch: Watch
  random: RandomSource
}

/** @throws Refusal 400 for an index or a wait time that is none. */
export async function read(deps: ReadDeps, call: Call, reading: Reading): Promise<Reply> {
  const region = call.query.get('region')
  if (region !== null && region !== '' && region !== REGION) {
    throw new Refusal(500, 'No path to region')
  }
  const since = readInteger(call, 'index', 0, 'Invalid index')
  const wait = call.query.get('wait')
  const asked = wait === null || wait === '' ? WAIT_MAX_MS : parseDurationMs(wait)
  if (asked === null) throw new Refusal(400, 'Invalid wait time')
  if (since > 0) {
    const limitMs = Math.min(asked || WAIT_MAX_MS, WAIT_MAX_MS)
    const waitMs = limitMs * (1 + deps.random.number() * JITTER_SHARE)
    const { signal } = call
    await deps.watch.until(reading.tables, () => reading.index() > since, { waitMs, signal })
  }
  const headers = toReadHeaders(reading.index())
  return json(call, reading.value(), { ...headers, ...reading.headers?.() })
}

/** Without all three, Nomad's client takes the index for 0 and its watches spin. */
export function toReadHeaders(index: number): Record<string, string> {
  return {
    'x-nomad-index': String(index),
    'x-nomad-knownleader': 'true',
    'x-nomad-lastcontact': '0',
  }
}
