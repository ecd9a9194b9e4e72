/** Delivers one spool that an agent has left: events and output, under the epoch that they belong to. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { agentEvent, type AgentEvent } from '../../model/index.ts'
import type { Clock, Log, RandomSource } from '../../platform/index.ts'
import { parseSpoolName } from '../output/step-output.ts'
import { Uploader } from '../output/uploader.ts'
import { createAgentServer } from '../server.ts'
import { Session } from '../session.ts'
import { TIMINGS } from '../timings.ts'
import type { SpoolRecord } from './record.ts'
import { StoredSpool } from './stored-spool.ts'

export interface DeliverDeps {
  clock: Clock
  log: Log
  random: RandomSource
  signal: AbortSignal
}

/** `refused`: the server will never take the rest. `kept`: it did not answer in time. */
export type Delivered = 'delivered' | 'refused' | 'kept'

const BATCH_MAX = 256
/** Nobody watches: only whole chunks are worth a call. */
const CONTROL = { version: 0, action: 'none' as const, flush_ms: 1, mask: [] }

export async function deliverSpool(
  folder: string,
  record: SpoolRecord,
  deps: DeliverDeps,
): Promise<Delivered> {
  const server = createAgentServer({ ...record, clock: deps.clock })
  let refusal: string | null = null
  const onFenced = (why: string) => (refusal = why)
  const session = new Session({
    ...deps,
    calls: server.open(record.session),
    claim: { control: CONTROL, lease_ms: 60_000 },
    orphanMs: Number.POSITIVE_INFINITY,
    timings: TIMINGS,
    onControl: () => undefined,
    onFenced,
    onOrphaned: () => undefined,
  })
  try {
    const events = await readEvents(join(folder, EVENTS_FILE))
    const isLast = (event: AgentEvent) => event.type === 'slice_finished'
    const early = events.filter((event) => !isLast(event))
    // A slice that is over takes no more events, and yet the output that it lacks.
    const isTold = await sendEvents(session, early, deps.signal)
    if (refusal === 'bad_token') return 'refused'
    refusal = null
    const isSent = await sendOutputs(folder, record, { ...deps, session, onFenced })
    if (!isSent) return refusal === null ? 'kept' : 'refused'
    if (isTold) await sendEvents(session, events, deps.signal)
    return deps.signal.aborted ? 'kept' : 'delivered'
  } finally {
    await session.close()
    await server.close()
  }
}

const EVENTS_FILE = 'events.jsonl'

async function readEvents(file: string): Promise<AgentEvent[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const events: AgentEvent[] = []
  for (const line of text.split('\n')) {
    const event = agentEvent.safeParse(parseJson(line))
    // The last line of an agent that was killed may be cut off; what follows a gap is of no use.
    if (!event.success || event.data.seq !== events.length + 1) break
    events.push(event.data)
  }
  return events
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

/** @returns whether the server has applied all of them. */
async function sendEvents(
  session: Session,
  events: readonly AgentEvent[],
  signal: AbortSignal,
): Promise<boolean> {
  let applied = 0
  while (applied < events.length) {
    const batch = events.slice(applied, applied + BATCH_MAX)
    const answer = await session.call('events', (calls, s) => calls.events(batch, s), signal)
    if (answer === null || answer.applied <= applied) return false
    applied = answer.applied
  }
  return true
}

async function sendOutputs(
  folder: string,
  record: SpoolRecord,
  deps: DeliverDeps & { session: Session; onFenced: (why: string) => void },
): Promise<boolean> {
  for (const name of await readdir(folder)) {
    const place = parseSpoolName(name)
    if (place === null) continue
    const spool = await StoredSpool.open(join(folder, name))
    try {
      const chunkBytes = record.chunk_bytes
      if (!(await new Uploader({ ...deps, spool, place, chunkBytes }).done)) return false
    } finally {
      await spool.close()
    }
  }
  return true
}
