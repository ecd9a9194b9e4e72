/** Every reader of Nomad's answers. */
import * as fc from 'fast-check'
import type { Test } from 'tap'
import { isCaravanError } from '../../../src/model/index.ts'
import { createNomadClient, type NomadClient } from '../../../src/nomad/index.ts'
import { silentLog, systemClock, type Clock } from '../../../src/platform/index.ts'
import { toCapacity } from '../../../src/scheduler/index.ts'
import { serve } from '../../support/serve.ts'
import { fuzz, type FuzzOptions } from '../harness.ts'
import { broken, mutated } from '../hostile-values.ts'
import { ALLOCATION, EVALUATION, EVENT, JOB, NODE } from '../sound-nomad.ts'

const CALLS = {
  readJob: (nomad) => nomad.readJob('a'),
  registerJob: (nomad) => nomad.registerJob(JOB as never),
  deregisterJob: (nomad) => nomad.deregisterJob('a'),
  evaluateJob: (nomad) => nomad.evaluateJob('a'),
  parseJob: (nomad) => nomad.parseJob('job "a" {}'),
  jobStatuses: (nomad) => nomad.jobStatuses(['a']),
  jobAllocations: (nomad) => nomad.jobAllocations('a'),
  jobEvaluations: (nomad) => nomad.jobEvaluations('a'),
  listJobs: (nomad) => firstPage(nomad.listJobs()),
  readAllocation: (nomad) => nomad.readAllocation('a'),
  listAllocations: (nomad) => firstPage(nomad.listAllocations()),
  readEvaluation: (nomad) => nomad.readEvaluation('a'),
  tailTaskLog: (nomad) =>
    nomad.tailTaskLog('a', { task: 'build-agent', type: 'stderr', bytesMax: 1000 }),
  listNodes: async (nomad) => {
    const nodes = (await firstPage(nomad.listNodes())) as { items: never[] } | undefined
    return nodes?.items.map((node) => toCapacity(node, ['*']))
  },
  readNode: async (nomad) => {
    const node = await nomad.readNode('a')
    return node && toCapacity(node, ['*'])
  },
  nodeAllocations: (nomad) => nomad.nodeAllocations('a'),
  drainNode: (nomad) => nomad.drainNode('a', null),
  setEligibility: (nomad) => nomad.setEligibility('a', 'eligible'),
  agentSelf: (nomad) => nomad.agentSelf(),
  version: (nomad) => nomad.version(),
  leader: (nomad) => nomad.leader(),
  schedulerConfiguration: (nomad) => nomad.schedulerConfiguration(),
  events: (nomad) => someOf(nomad.events({ topics: [{ topic: 'Job' }] }, AbortSignal.timeout(50))),
} as const satisfies Partial<Record<keyof NomadClient, (nomad: NomadClient) => Promise<unknown>>>

const NAMES = Object.keys(CALLS) as (keyof typeof CALLS)[]

const sound = [JOB, [JOB], NODE, [NODE], ALLOCATION, [ALLOCATION], EVALUATION, [EVALUATION], EVENT]
const receipts = [
  { EvalID: 'a', JobModifyIndex: 1 },
  { NodeModifyIndex: 1, EvalIDs: null },
  { SchedulerConfig: { PreemptionConfig: {} } },
  { config: { Version: { Version: '1.9.0' } }, member: { Tags: { build: '1.9.0' } } },
  '127.0.0.1:4647',
]

const answer = fc.record({
  call: fc.constantFrom(...NAMES),
  status: fc.constantFrom(200, 200, 200, 200, 204, 301, 400, 403, 404, 429, 500, 503),
  type: fc.constantFrom('application/json', 'text/html', 'text/plain; charset=utf-16', ''),
  index: fc.constantFrom('7', '', 'NaN', '-1', '1e400', '9'.repeat(30)),
  next: fc.constantFrom('', '', 'more', '%00', 'x'.repeat(2000)),
  encoding: fc.constantFrom('', '', '', 'gzip', 'br'),
  cut: fc.constantFrom(false, false, false, true),
  body: broken(
    fc.oneof(
      { weight: 9, arbitrary: mutated(...sound, ...receipts).map((value) => json(value)) },
      { weight: 1, arbitrary: fc.constantFrom('', 'null', '<html>', '{}\n{}', '['.repeat(5000)) },
    ),
  ),
})
type Answer = typeof answer extends fc.Arbitrary<infer Value> ? Value : never

/** Inputs at once; each has a path of its own, so that the server knows which it is. */
const LANES = 8

export async function fuzzNomad(t: Test, options: FuzzOptions): Promise<void> {
  const clients: { nomad: NomadClient; answer: Answer | null }[] = []
  for (let lane = 0; lane < LANES; lane += 1) {
    const state: { answer: Answer | null } = { answer: null }
    const address = await serve(t, (request, response) => {
      request.resume()
      const { status, type, index, next, encoding, cut, body } = state.answer as Answer
      response.writeHead(status, {
        'content-type': type,
        'x-nomad-index': index,
        'x-nomad-nexttoken': next,
        ...(encoding === '' ? {} : { 'content-encoding': encoding }),
        ...(cut ? { 'content-length': body.length + 10 } : {}),
      })
      // What is promised never comes.
      if (cut) response.write(body, () => response.destroy())
      else response.end(body)
    })
    const random = { number: () => 0.5, bytes: (size: number) => new Uint8Array(size) }
    const nomad = createNomadClient({ address, clock: hurried, random, log: silentLog })
    t.teardown(() => nomad.close())
    clients.push(Object.assign(state, { nomad }))
  }
  const check = async (input: Answer): Promise<void> => {
    const client = clients.pop()
    if (client === undefined) throw new Error('more inputs at once than lanes')
    client.answer = input
    try {
      await CALLS[input.call](client.nomad)
    } catch (cause) {
      if (!isCaravanError(cause)) throw cause
      const hasPlace = cause.message.includes('127.0.0.1') || /Nomad/.test(cause.message)
      if (!hasPlace) throw new Error(`no place in "${cause.message}"`, { cause })
    } finally {
      clients.push(client)
    }
  }
  await fuzz(t, { name: 'answers of Nomad', input: answer, check, lanes: LANES }, options)
}

/** Pauses are none; deadlines keep their length. */
const hurried: Clock = {
  ...systemClock,
  after: (delayMs, run) => systemClock.after(delayMs > 20_000 ? delayMs : 0, run),
}

/** A text, also of what JSON does not know. */
function json(value: unknown): string {
  return JSON.stringify(value) ?? 'undefined'
}

async function firstPage(pages: AsyncIterable<unknown>): Promise<unknown> {
  for await (const page of pages) return page
  return undefined
}

async function someOf(items: AsyncIterable<unknown>): Promise<void> {
  const iterator = items[Symbol.asyncIterator]()
  for (let count = 0; count < 5; count += 1) if ((await iterator.next()).done === true) return
  await iterator.return?.()
}
