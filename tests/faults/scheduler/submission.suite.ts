/** A slice becomes one job, whatever happens to the request and to its answer. */
import { cpSync } from 'node:fs'
import t from 'tap'
import { aFolder, aRequest, until, untilBuild } from '../../scheduler/support/scheduler.ts'
import { unwrap } from '../../scheduler/support/agent.ts'
import {
  agentOfSlice,
  allAllocations,
  allJobs,
  anAnswer,
  isOver,
  isPlaced,
  isRegistration,
  startWorld,
  untilDetail,
  type Reply,
} from './support/world.ts'

const LOST: [row: string, title: string, answer: () => Reply][] = [
  ['B1', 'its answer never comes', () => 'cut'],
  ['B8', 'leadership is lost', () => anAnswer(500, 'leadership lost while committing log')],
  [
    'B10',
    'the log takes too long',
    () => anAnswer(500, 'rpc error: timed out enqueuing operation'),
  ],
]
for (const [row, title, answer] of LOST) {
  t.test(`${row}: a job that was made although ${title} is adopted`, async (t) => {
    const { scheduler, nomad, faults } = await startWorld(t)
    let lost = 0
    faults.on(isRegistration, async (_call, next) => {
      const reply = await next()
      lost += 1
      return reply.status === 200 ? answer() : reply
    })
    await scheduler.submit(aRequest({ parallelism: 3 }))
    await untilBuild(scheduler, '1', isPlaced)
    t.equal(lost, 3, 'none is sent again')
    t.equal((await allJobs(nomad)).length, 3)
    t.equal((await allAllocations(nomad)).length, 3)
    for (const { ID } of await allJobs(nomad)) {
      t.equal((await nomad.readJob(ID))?.Version, 0, 'nothing replaced it')
    }
  })
}

const NOT_MADE: [row: string, text: string][] = [
  ['B8', 'No cluster leader'],
  ['B9', 'Not ready to serve consistent reads'],
  ['B10', 'rpc error: timed out enqueuing operation'],
]
for (const [row, text] of NOT_MADE) {
  t.test(`${row}: after "${text}" a job that was not made is made later, once`, async (t) => {
    const { scheduler, nomad, faults } = await startWorld(t)
    const mend = faults.answer(isRegistration, 500, text)
    await scheduler.submit(aRequest())
    const waiting = await untilDetail(scheduler, /could not be submitted yet/)
    t.match(waiting, { state: 'running', slices: [{ state: 'submitting' }] })
    mend()
    await untilBuild(scheduler, '1', isPlaced)
    t.equal((await allJobs(nomad)).length, 1)
    t.equal((await allAllocations(nomad)).length, 1)
  })
}

t.test(
  'B4: a slice that is over does not run again, and the next build is another job',
  async (t) => {
    const { scheduler, nomad } = await startWorld(t)
    await scheduler.submit(aRequest({}, ['echo hello']))
    const agent = await agentOfSlice(scheduler, nomad)
    await agent.begin()
    await agent.step(0, 'hello\n')
    unwrap(await agent.report('succeeded'))
    const [slice] = (await untilBuild(scheduler, '1', isOver)).slices
    const id = slice?.nomad_job_id ?? ''
    const job = await nomad.readJob(id)
    if (job === null) throw new Error('the job is gone')

    t.same(await nomad.registerJob(job, { enforceIndex: 0 }), { kind: 'conflict', index: 0 })
    await nomad.deregisterJob(id)
    t.match(await nomad.registerJob(job, { enforceIndex: 0 }), { kind: 'conflict' })
    t.equal((await nomad.jobAllocations(id, { all: true })).length, 1)

    await scheduler.submit(aRequest({}, ['echo hello']))
    const again = await untilBuild(scheduler, '2', isPlaced)
    t.not(again.slices[0]?.nomad_job_id, id)
  },
)

t.test('B6: two servers that both think a slice is theirs make one job of it', async (t) => {
  const { scheduler, nomad, faults, dataDir, startAnother, close } = await startWorld(t)
  const mend = faults.answer(isRegistration, 500, 'No cluster leader')
  await scheduler.submit(aRequest({ parallelism: 20 }))
  await untilDetail(scheduler, /could not be submitted yet/)
  await close()
  // As with a folder that was copied to another machine: the lock of the first knows nothing of it.
  const copy = aFolder(t)
  cpSync(dataDir, copy, { recursive: true, filter: (path) => !path.endsWith('.lock') })
  mend()
  const both = await Promise.all([startAnother({ dataDir }), startAnother({ dataDir: copy })])
  for (const one of both) await untilBuild(one.scheduler, '1', isPlaced)
  t.equal((await allJobs(nomad)).length, 20)
  t.equal((await allAllocations(nomad)).length, 20)
})

t.test('B7: two installations on one cluster leave the jobs of the other alone', async (t) => {
  const { scheduler, nomad, startAnother } = await startWorld(t)
  const other = await startAnother({ dataDir: aFolder(t) })
  await scheduler.submit(aRequest({ parallelism: 2 }))
  await other.scheduler.submit(aRequest({ parallelism: 2 }))
  await untilBuild(scheduler, '1', isPlaced)
  const theirs = await untilBuild(other.scheduler, '1', isPlaced)
  await scheduler.cancelBuild('1')
  await untilBuild(scheduler, '1', isOver)
  const jobs = await allJobs(nomad)
  t.equal(new Set(jobs.map(({ Meta }) => Meta?.['install'])).size, 2)
  await until(async () => (await allJobs(nomad)).filter(({ Stop }) => Stop).length === 2, 'stops')
  for (const { nomad_job_id: id } of theirs.slices) {
    t.match(await nomad.readJob(id), { Stop: false, Status: 'running' })
  }
})

t.test('B7: a job of another installation under the same id is left as it is', async (t) => {
  const { scheduler, nomad, faults } = await startWorld(t)
  faults.on(isRegistration, async (call, next) => {
    if (!call.body.includes('"EnforceIndex":true')) return next()
    const { Job } = JSON.parse(call.body) as { Job: Parameters<typeof nomad.registerJob>[0] }
    await nomad.registerJob({ ...Job, Meta: { ...Job.Meta, install: 'another' } })
    return next()
  })
  await scheduler.submit(aRequest())
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'cluster_rejected' })
  t.match(await nomad.readJob(over.slices[0]?.nomad_job_id ?? ''), {
    Stop: false,
    Meta: { install: 'another' },
  })
})

t.test('B10: a cluster that answers no write is asked less and less at once', async (t) => {
  const { scheduler, faults } = await startWorld(t)
  let under = 0
  const most: number[] = []
  let peak = 0
  faults.on(isRegistration, async () => {
    under += 1
    peak = Math.max(peak, under)
    await new Promise((resolve) => setTimeout(resolve, 20))
    under -= 1
    if (under === 0) {
      most.push(peak)
      peak = 0
    }
    return anAnswer(500, 'rpc error: timed out enqueuing operation')
  })
  await scheduler.submit(aRequest({ parallelism: 60 }))
  await until(() => most.length >= 8, 'eight waves')
  t.ok(Math.max(...most.slice(-3)) <= 2, `${most.join(' ')} at once`)
})

t.test(
  'B73: no read may be stale, and a job that is not seen yet is asked for again',
  async (t) => {
    const { scheduler, nomad, faults } = await startWorld(t)
    let unseen = 2
    faults.on(
      (call) => isRegistration(call) || /^\/v1\/job\/[^/]+(\?|$)/.test(call.url),
      async (call, next) => {
        const reply = await next()
        if (isRegistration(call)) return anAnswer(500, 'leadership lost while committing log')
        return unseen-- > 0 ? anAnswer(404, 'job not found') : reply
      },
    )
    await scheduler.submit(aRequest())
    await untilBuild(scheduler, '1', isPlaced)
    t.equal((await allAllocations(nomad)).length, 1)
    t.same(
      faults.calls.filter((call) => /[?&]stale/.test(call)),
      [],
    )
  },
)
