/** What agents send, by one that has its session and its wits about it, and one that has not. */
import * as fc from 'fast-check'
import type { Test } from 'tap'
import { buildView } from '../../../src/model/index.ts'
import { agentOf, type ScriptedAgent } from '../../scheduler/support/agent.ts'
import { aRequest } from '../../scheduler/support/scheduler.ts'
import { fuzz, type FuzzOptions } from '../harness.ts'
import { broken, mutated } from '../hostile-values.ts'
import { checkAnswer, type RawRequest } from '../raw-http.ts'
import { CLAIM, EVENTS } from '../sound-requests.ts'
import { startFuzzed } from './http.ts'

const NUMBERS = [
  '0',
  '1',
  '2',
  '7',
  '-1',
  '1.5',
  '1e3',
  '9007199254740991',
  '9'.repeat(30),
  'NaN',
  '',
  '%00',
]

/** Now and then the end of the slice, or else nothing would come after it. */
const events = fc.oneof(
  { weight: 9, arbitrary: mutated({ events: EVENTS.events.slice(0, 3) }) },
  {
    weight: 3,
    arbitrary: fc
      .array(mutated(...EVENTS.events.slice(0, 3)), { maxLength: 5 })
      .map((all) => ({ events: all })),
  },
  { weight: 1, arbitrary: fc.constant({ events: Array<unknown>(257).fill(EVENTS.events[0]) }) },
)

const call = fc.record({
  name: fc.constantFrom(
    'events',
    'events',
    'events',
    'output',
    'output',
    'claim',
    'accept',
    'why',
    'control',
    'source',
  ),
  epoch: fc.oneof(
    { weight: 8, arbitrary: fc.constant('1') },
    { weight: 1, arbitrary: fc.constantFrom(...NUMBERS) },
  ),
  proof: fc.constantFrom('own', 'own', 'own', 'own', 'own', 'other', 'none'),
  step: fc.constantFrom(...NUMBERS),
  attempt: fc.constantFrom(...NUMBERS),
  offset: fc.constantFrom(...NUMBERS),
  json: broken(events.map((value) => JSON.stringify(value) ?? '')),
  claim: broken(mutated(CLAIM).map((value) => JSON.stringify(value) ?? '')),
  bytes: fc.uint8Array({ maxLength: 300 }),
})
type Call = typeof call extends fc.Arbitrary<infer Value> ? Value : never

function toRequest(input: Call, agent: ScriptedAgent): RawRequest {
  const { name, epoch, step, attempt, offset } = input
  const isRead = ['why', 'control', 'source'].includes(name)
  const body = { claim: input.claim, events: input.json, output: Buffer.from(input.bytes) }
  const bytes = name in body ? body[name as keyof typeof body] : Buffer.alloc(0)
  const own = name === 'claim' ? agent.token : agent.caller.session
  const proof = { own: `Bearer ${own}`, other: 'Bearer nonsense', none: '' }[input.proof]
  const query = name === 'output' ? `?step=${step}&attempt=${attempt}&offset=${offset}` : ''
  const polls = name === 'control' ? `?seen=${offset}&wait_ms=0` : ''
  return {
    method: isRead ? 'GET' : 'POST',
    path: `/api/v1/agent/${agent.caller.slice}/${epoch}/${name}${query}${polls}`,
    headers: {
      ...(proof === '' ? {} : { authorization: proof }),
      ...(bytes.length === 0
        ? {}
        : { 'content-type': name === 'output' ? 'application/octet-stream' : 'application/json' }),
      'content-length': String(bytes.length),
    },
    body: bytes,
  }
}

export async function fuzzAgents(t: Test, options: FuzzOptions): Promise<void> {
  const { scheduler, cluster, send, faults } = await startFuzzed(t)
  const build = await scheduler.submit(aRequest({}, ['true', 'true', 'true']))
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  const check = async (input: Call): Promise<void> => {
    const answer = await send(toRequest(input, agent))
    checkAnswer(answer, true)
    if (faults.length > 0) throw new Error(faults.join('\n'))
    if (input.proof !== 'own' && answer.status < 400 && answer.status > 0) {
      throw new Error(`${answer.status} without a proof`)
    }
  }
  await fuzz(t, { name: 'calls of agents', input: call, check, lanes: 4 }, options)
  const view = buildView.parse(await scheduler.readBuild(build.id))
  t.equal(view.state, 'running', 'nothing of it ended the slice')
  const polluted: Record<string, unknown> = {}
  t.equal(polluted['polluted'], undefined, 'and no prototype was changed')
}
