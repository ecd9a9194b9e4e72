/** The event stream: one line of JSON per commit. */
import { PassThrough } from 'node:stream'
import type { Readable } from 'node:stream'
import { once } from 'node:events'
import { sleep } from '../../../../platform/index.ts'
import type { Clock } from '../../../../platform/index.ts'
import { Refusal } from '../../operations/refusal.ts'
import type { EngineEvent, EventBatch, EventBuffer } from '../../state/event-buffer.ts'
import { ALL_NAMESPACES, namespaceOf } from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'

export interface EventDeps {
  clock: Clock
  events: EventBuffer
}

/** Nomad's heartbeat, by which readers know that a quiet stream is alive. */
const HEARTBEAT_MS = 30_000

/** Nomad gives up on a reader that takes nothing for this long. */
const WRITE_TIMEOUT_MS = 40_000

type Filter = (event: EngineEvent) => boolean

export function eventRoutes(deps: EventDeps): Routes {
  return { '/v1/event/stream': { GET: (call) => stream(deps, call) } }
}

function stream(deps: EventDeps, call: Call): Reply {
  const index = call.query.get('index') || '0'
  if (!/^\d+$/.test(index)) {
    const why = `strconv.Atoi: parsing ${JSON.stringify(index)}: invalid syntax`
    throw new Refusal(400, `Unable to parse index: ${why}`)
  }
  const filter = toFilter(call)
  const position = deps.events.positionOf(Number(index))
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-cache' },
    body: follow(deps, call.signal, { position, filter }),
  }
}

/** Ends when the reader is gone, or too slow for what is kept of the past. */
function follow(
  { clock, events }: EventDeps,
  signal: AbortSignal,
  start: { position: number; filter: Filter },
): Readable {
  const out = new PassThrough()
  out.on('error', () => undefined)
  const run = async () => {
    let { position } = start
    await write(clock, out, '{}\n', signal)
    while (!signal.aborted && !out.destroyed) {
      const batch = events.at(position)
      if (batch === null) return
      if (batch === undefined) {
        const isNews = await waitForBatch(clock, events, signal)
        if (!isNews && !signal.aborted) await write(clock, out, '{}\n', signal)
        continue
      }
      position = batch.position + 1
      const line = toLine(batch, start.filter)
      if (line !== null) await write(clock, out, line, signal)
    }
  }
  void run().then(
    () => out.end(),
    (cause: Error) => out.destroy(cause),
  )
  return out
}

function toLine({ index, events }: EventBatch, filter: Filter): string | null {
  const selected = events.filter(filter)
  if (selected.length === 0) return null
  return `{"Index":${index},"Events":[${selected.map((event) => event.json()).join(',')}]}\n`
}

/** @returns false when a heartbeat is due instead. */
function waitForBatch(clock: Clock, events: EventBuffer, signal: AbortSignal): Promise<boolean> {
  const news = new AbortController()
  const stop = events.onAppend(() => news.abort())
  return sleep(clock, HEARTBEAT_MS, AbortSignal.any([signal, news.signal])).then((isOver) => {
    stop()
    return !isOver
  })
}

/** Waits for the reader to take it. @throws Error when it takes too long. */
async function write(
  clock: Clock,
  out: PassThrough,
  text: string,
  signal: AbortSignal,
): Promise<void> {
  if (out.write(text)) return
  const late = new AbortController()
  const timer = clock.after(WRITE_TIMEOUT_MS, () => late.abort())
  try {
    await once(out, 'drain', { signal: AbortSignal.any([signal, late.signal]) })
  } catch (cause) {
    if (!signal.aborted) throw cause
  } finally {
    timer.cancel()
  }
}

/** `topic=Allocation`, `topic=Allocation:<key>`, `topic=*`; all of them when none is named. */
function toFilter(call: Call): Filter {
  const topics = call.query.getAll('topic').map(parseTopic)
  const namespace = namespaceOf(call)
  return (event) => {
    const isInNamespace =
      event.Namespace === '' || namespace === ALL_NAMESPACES || event.Namespace === namespace
    return isInNamespace && (topics.length === 0 || topics.some((topic) => matches(topic, event)))
  }
}

interface Topic {
  name: string
  key: string
}

function parseTopic(text: string): Topic {
  const [name = '', key = '*', ...more] = text.split(':')
  if (more.length === 0) return { name, key }
  const why = `Invalid key value pair for topic, topic: ${text}`
  throw new Refusal(400, `Invalid topic query: error parsing topics: ${why}`)
}

function matches({ name, key }: Topic, event: EngineEvent): boolean {
  if (name !== '*' && name !== event.Topic) return false
  return key === '*' || key === event.Key || (event.FilterKeys ?? []).includes(key)
}
