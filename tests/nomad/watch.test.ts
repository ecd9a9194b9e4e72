import t from 'tap'
import type { NomadJob } from '../../src/nomad/index.ts'
import { type FakeAnswer, collect, fakeNomad } from '../support/fake-nomad.ts'
import { until } from '../support/serve.ts'

const job = (version: number): NomadJob => ({
  ID: 'a',
  Name: 'a',
  Type: 'batch',
  TaskGroups: [],
  Version: version,
})
const at = (index: number, json: unknown): FakeAnswer => ({
  json,
  headers: { 'x-nomad-index': String(index) },
})

t.test('B72: a watch tells each change, and nothing when a wait ends without one', async (t) => {
  const answers = [at(5, job(1)), at(5, job(1)), at(8, job(2)), at(8, job(2)), at(9, job(3))]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift())
  const stop = new AbortController()
  const seen: (number | undefined)[] = []
  const done = (async () => {
    for await (const each of nomad.watch('job', 'a', stop.signal)) seen.push(each?.Version)
  })()
  await until(() => calls.length === 6)
  stop.abort()
  await done
  t.same(seen, [1, 2, 3])
  t.same(
    calls.map(({ query }) => query.get('index')),
    [null, '5', '5', '8', '8', '9'],
  )
  t.equal(calls[0]?.query.get('wait'), null, 'the first answers at once')
  t.equal(calls[1]?.query.get('wait'), '50000ms')
})

t.test('B72: an index that goes back is started from anew', async (t) => {
  const answers = [at(100, job(1)), at(3, job(2)), at(3, job(2)), at(4, job(3))]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift())
  const stop = new AbortController()
  const seen: (number | undefined)[] = []
  const done = (async () => {
    for await (const each of nomad.watch('job', 'a', stop.signal)) seen.push(each?.Version)
  })()
  await until(() => calls.length === 5)
  stop.abort()
  await done
  t.same(
    calls.map(({ query }) => query.get('index')),
    [null, '100', null, '3', '4'],
  )
  t.same(seen, [1, 2, 2, 3])
})

t.test('an object that is not there is waited for', async (t) => {
  const missing = {
    status: 404,
    text: 'node not found',
    headers: { 'x-nomad-index': '6' },
  }
  const node = {
    ID: 'n',
    Name: 'n',
    Status: 'ready',
    SchedulingEligibility: 'eligible',
    ModifyIndex: 7,
  }
  const answers: FakeAnswer[] = [missing, at(7, node)]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift())
  const stop = new AbortController()
  const seen = collect(nomad.watch('node', 'n', stop.signal))
  await until(() => calls.length === 3)
  stop.abort()
  t.same(await seen, [null, node])
  t.equal(calls[1]?.query.get('index'), '6')
})

t.test('a watch outlives an outage, and ends with a refusal', async (t) => {
  const answers: FakeAnswer[] = [
    at(5, []),
    { cut: true },
    { text: 'No cluster leader' },
    at(6, []),
    { status: 403, text: 'Permission denied' },
  ]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift())
  let count = 0
  const watching = (async () => {
    const signal = new AbortController().signal
    for await (const each of nomad.watch('nodeAllocations', 'n', signal)) count += each ? 1 : 0
  })()
  await t.rejects(watching, { code: 'NOMAD_FORBIDDEN' })
  t.equal(count, 2)
  t.equal(calls.length, 5)
  t.equal(calls[3]?.query.get('index'), '5', 'it goes on where it was')
})

t.test('watches and calls do not wait for each other', async (t) => {
  const { nomad, calls } = await fakeNomad(
    t,
    ({ query }) => (query.has('index') ? undefined : at(5, job(1))),
    { connectionsMax: 1, watchesMax: 1 },
  )
  const stop = new AbortController()
  const watching = collect(nomad.watch('job', 'a', stop.signal))
  await until(() => calls.length === 2)
  t.equal((await nomad.readJob('a'))?.Version, 1)
  stop.abort()
  await watching
})

t.test('a list that nothing was ever put into is told as well', async (t) => {
  const answers = [at(0, []), at(0, []), at(4, [])]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift())
  const stop = new AbortController()
  const seen = collect(nomad.watch('nodeAllocations', 'n', stop.signal))
  await until(() => calls.length === 4)
  stop.abort()
  t.same(await seen, [[], []])
})
