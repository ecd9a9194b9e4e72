/** What a slice's Nomad job is called, holds and costs. */
import { request } from 'node:http'
import { once } from 'node:events'
import t from 'tap'
import { startProxy } from '../../support/network/proxy.ts'
import { unwrap } from '../../scheduler/support/agent.ts'
import { SERVER_KEY, aRequest, until, untilBuild } from '../../scheduler/support/scheduler.ts'
import {
  agentOfSlice,
  allAllocations,
  allJobs,
  isOver,
  isPlaced,
  isRegistration,
  startWorld,
} from './support/world.ts'

t.test('B5: the same slice is the same job to the byte, whoever renders it when', async (t) => {
  const { scheduler, faults, startAnother, dataDir, close } = await startWorld(t)
  const bodies: string[] = []
  faults.on(isRegistration, async (call) => {
    bodies.push(call.body)
    return 'cut'
  })
  await scheduler.submit(aRequest())
  await until(() => bodies.length >= 2, 'two tries')
  await close()
  const before = bodies.length
  await startAnother({ dataDir })
  await until(() => bodies.length > before, 'a try of the next server')
  t.equal(new Set(bodies).size, 1, 'one and the same request')
})

t.test(
  'B67: what operators can read of a job holds no key, and a token that is used up',
  async (t) => {
    const { scheduler, nomad, engine } = await startWorld(t)
    const events: string[] = []
    const stream = request(`${engine.url}/v1/event/stream?topic=*`).end()
    const [answer] = (await once(stream, 'response')) as [NodeJS.ReadableStream]
    answer.on('data', (chunk: Buffer) => events.push(chunk.toString()))
    answer.on('error', () => undefined)
    t.teardown(() => stream.destroy())
    await scheduler.submit(aRequest({}, ['echo hello']))
    const agent = await agentOfSlice(scheduler, nomad)
    const { session } = await agent.begin()
    const { slices } = await untilBuild(scheduler, '1', isPlaced)
    const id = slices[0]?.nomad_job_id ?? ''
    await until(() => events.join('').includes(agent.allocationId), 'the events')
    const read = async (path: string) => (await fetch(engine.url + path)).text()
    const seen = [
      ...events,
      await read(`/v1/job/${id}`),
      await read(`/v1/job/${id}/allocations`),
      await read(`/v1/job/${id}/evaluations`),
      await read(`/v1/job/${id}/versions`),
      await read(`/v1/allocation/${agent.allocationId}`),
    ].join('\n')
    const key = Buffer.from(SERVER_KEY)
    for (const secret of [session, key.toString('hex'), key.toString('base64'), 'master_key']) {
      t.notOk(seen.includes(secret), secret)
    }
    t.ok(seen.includes(agent.token), 'the claim token has to be there')
    const other = await agentOfSlice(scheduler, nomad)
    Object.assign(other, { claimId: 'somebody who read the job'.padEnd(30, '.') })
    t.match(await other.claim(), { ok: false, refusal: 'taken' })
    await agent.step(0, 'hello\n')
    unwrap(await agent.report('succeeded'))
    await untilBuild(scheduler, '1', isOver)
    t.match(await other.claim(), { ok: false, refusal: 'fenced' })
  },
)

t.test('B71: a hundred slices need no more than 32 connections', async (t) => {
  let most = 0
  let count = () => 0
  const { scheduler, faults } = await startWorld(t, {
    address: async (to) => {
      const proxy = await startProxy({ to })
      t.teardown(() => proxy.close())
      count = () => proxy.connectionCount
      return proxy.url
    },
  })
  faults.on(
    () => true,
    (_call, next) => {
      most = Math.max(most, count())
      return next()
    },
  )
  await scheduler.submit(aRequest({ parallelism: 120 }))
  await untilBuild(scheduler, '1', isPlaced)
  await scheduler.cancelBuild('1')
  await untilBuild(scheduler, '1', isOver)
  t.ok(most > 1 && most <= 32, `${most} connections`)
})

t.test('B74: jobs whose ids begin alike are told apart, on old servers too', async (t) => {
  const { scheduler, nomad, faults } = await startWorld(t)
  faults.answer(({ url }) => url.startsWith('/v1/jobs/statuses'), 404, '')
  await scheduler.submit(aRequest({ parallelism: 60 }))
  const { slices } = await untilBuild(scheduler, '1', isPlaced)
  const id = slices[1]?.nomad_job_id ?? ''
  const job = await nomad.readJob(id)
  if (job === null) throw new Error('no job')
  for (const ID of [`${id}0`, `${id}-r2`]) {
    await nomad.registerJob({ ...job, ID, Name: ID })
    await nomad.deregisterJob(ID)
  }
  const isList = (call: string) => call.startsWith('GET /v1/allocations?')
  const before = faults.calls.filter(isList).length
  faults.cutStream()()
  await until(() => faults.calls.filter(isList).length > before, 'a look at the lists')
  await nomad.deregisterJob(slices[59]?.nomad_job_id ?? '')
  const view = await untilBuild(scheduler, '1', (build) => build.slices[59]?.reason !== null)
  t.equal(view.slices[1]?.state, 'placing')
  t.equal(view.slices.filter(({ reason }) => reason !== null).length, 1)
})

t.test('B75: names that would be a path or a command make an ordinary job', async (t) => {
  const { scheduler, nomad } = await startWorld(t)
  await scheduler.submit(aRequest({ org: 'a/b%2F../plan', repo: 'é valuate?x=1#/evaluate' }))
  const { slices } = await untilBuild(scheduler, '1', isPlaced)
  const id = slices[0]?.nomad_job_id ?? ''
  t.match(id, /^[A-Za-z0-9._-]+$/)
  t.match(await nomad.readJob(id), { ID: id, Meta: { org: 'a/b%2F../plan' } })
  await scheduler.cancelBuild('1')
  await until(async () => (await nomad.readJob(id))?.Stop, 'the stop')
  t.equal((await allJobs(nomad)).length, 1)
})

t.test('B76: a job stays small, however much its steps say', async (t) => {
  const { scheduler, faults } = await startWorld(t)
  let bytes = 0
  faults.on(isRegistration, (call, next) => {
    bytes = call.body.length
    return next()
  })
  await scheduler.submit(aRequest({}, [`echo ${'x'.repeat(500_000)}`]))
  await untilBuild(scheduler, '1', isPlaced)
  t.ok(bytes > 0 && bytes < 16 * 1024, `${bytes} bytes`)
})

t.test('B43: what has no room stays with us, not in Nomad', async (t) => {
  const small = { name: 'small', cpuMhz: 10_000, simulate: () => ({ run_for: '1h' }) }
  const { scheduler, nomad } = await startWorld(t, { engine: { nodes: [small] } })
  await scheduler.submit(aRequest({ parallelism: 100 }))
  await until(async () => (await allAllocations(nomad)).length === 2, 'what has room')
  const waiting = await untilBuild(scheduler, '1', ({ slices }) =>
    slices.some(({ state, detail }) => state === 'waiting_run' && detail !== ''),
  )
  t.ok((await allJobs(nomad)).length <= 4, 'two run, as many wait in Nomad')
  t.equal(waiting.slices.filter(({ state }) => state === 'waiting_run').length >= 96, true)
})
