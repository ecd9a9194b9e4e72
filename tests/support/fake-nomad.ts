/** A server that answers as the test says, and a client of it whose pauses are a hundred times shorter. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { type NomadClientOptions, createNomadClient } from '../../src/nomad/index.ts'
import { type Clock, silentLog, systemClock } from '../../src/platform/index.ts'
import { serve } from './serve.ts'

export interface FakeCall {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: unknown
}

export interface FakeAnswer {
  status?: number
  /** An error, told as plain text. */
  text?: string
  json?: unknown
  headers?: Record<string, string>
  /** Ends the connection without an answer. */
  cut?: boolean
}

export type FakeListener = (
  call: FakeCall,
  response: ServerResponse,
) => FakeAnswer | undefined | Promise<FakeAnswer | undefined>

/** A listener that answers nothing has taken the response into its own hands. */
export async function fakeNomad(
  t: Test,
  listener: FakeListener,
  options: Partial<NomadClientOptions> = {},
) {
  const calls: FakeCall[] = []
  const address = await serve(t, (request, response) => {
    void text(request).then(async (body) => {
      const url = new URL(request.url ?? '', 'http://nomad')
      const call: FakeCall = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: body === '' ? undefined : (JSON.parse(body) as unknown),
      }
      calls.push(call)
      const answer = await listener(call, response)
      if (answer) send(response, answer)
    })
  })
  const nomad = createNomadClient({
    address,
    clock: hurriedClock,
    random: { number: () => 0.5, bytes: (size) => new Uint8Array(size) },
    log: silentLog,
    ...options,
  })
  t.teardown(() => nomad.close())
  return { nomad, calls, address }
}

/** Deadlines of calls keep their length: they must not end a call that works. */
const hurriedClock: Clock = {
  ...systemClock,
  after: (delayMs, run) => systemClock.after(delayMs > 20_000 ? delayMs : delayMs / 100, run),
}

function send(response: ServerResponse, answer: FakeAnswer): void {
  if (answer.cut) {
    response.destroy()
    return
  }
  const body = answer.text ?? JSON.stringify(answer.json)
  response.writeHead(answer.status ?? (answer.text === undefined ? 200 : 500), {
    'content-type': answer.text === undefined ? 'application/json' : 'text/plain',
    'x-nomad-index': '7',
    ...answer.headers,
  })
  response.end(body)
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}
