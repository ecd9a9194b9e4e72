/** What stands in the way of many holds the queue, says why, and fails no build. */
import t from 'tap'
import { aRequest, until, untilBuild } from '../../scheduler/support/scheduler.ts'
import { isPlaced, isRegistration, startWorld, untilDetail, type Faults } from './support/world.ts'

const CONFIGURATION = '/v1/operator/scheduler/configuration'

/** As `nomad operator scheduler set-config` does. */
async function configure(url: string, body: object): Promise<void> {
  const answer = await fetch(url + CONFIGURATION, { method: 'PUT', body: JSON.stringify(body) })
  if (answer.status !== 200) throw new Error(await answer.text())
}

t.test('B11: while an operator refuses registrations builds wait, and say so', async (t) => {
  const { scheduler, engine } = await startWorld(t)
  await configure(engine.url, { RejectJobRegistration: true })
  await scheduler.submit(aRequest({ parallelism: 3 }))
  const held = await untilBuild(scheduler, '1', ({ slices }) =>
    slices.every(({ detail }) => /Job registration, dispatch, and scale are disabled/.test(detail)),
  )
  t.equal(held.state, 'running')
  t.match(await scheduler.health(), [/submission is held/])
  await configure(engine.url, { RejectJobRegistration: false })
  await untilBuild(scheduler, '1', isPlaced)
  t.same(await scheduler.health(), [])
})

t.test('B12: while an operator pauses the evaluation broker, slices say so', async (t) => {
  const { scheduler, engine } = await startWorld(t)
  await configure(engine.url, { PauseEvalBroker: true })
  await scheduler.submit(aRequest())
  const waiting = await untilDetail(scheduler, /paused its evaluation broker/)
  t.equal(waiting.slices[0]?.state, 'placing')
  await configure(engine.url, { PauseEvalBroker: false })
  await untilBuild(scheduler, '1', isPlaced)
})

const REFUSALS: [title: string, refuse: (faults: Faults) => () => void][] = [
  ['register', (faults) => faults.answer(isRegistration, 403, 'Permission denied')],
  ['do anything', (faults) => faults.answer(() => true, 403, 'Permission denied')],
]
for (const [title, refuse] of REFUSALS) {
  t.test(`B70: a token that may not ${title} any more holds the queue`, async (t) => {
    const { scheduler, faults } = await startWorld(t)
    await scheduler.submit(aRequest())
    await untilBuild(scheduler, '1', isPlaced)
    const mend = refuse(faults)
    await scheduler.submit(aRequest({ parallelism: 2 }))
    const held = await untilDetail(scheduler, /Permission denied/, '2')
    t.ok(['queued', 'running'].includes(held.state))
    await until(async () => (await scheduler.health()).length > 0, 'the health to tell')
    mend()
    await untilBuild(scheduler, '2', isPlaced)
    t.equal((await scheduler.readBuild('1'))?.slices[0]?.state, 'placing')
  })
}

t.test(
  'B85: a node pool that is missing holds the class that needs it, and no other',
  async (t) => {
    const { scheduler, faults } = await startWorld(t)
    const mend = faults.answer(
      (call) => isRegistration(call) && call.body.includes('"resource_class":"large"'),
      500,
      'job "x" is in nonexistent node pool "gpu"',
    )
    const { config } = aRequest()
    const large = config.replace('steps:', 'resource_class: large\n    steps:')
    await scheduler.submit(aRequest({ parallelism: 3, config: large }))
    await scheduler.submit(aRequest({ parallelism: 3 }))
    const held = await untilDetail(scheduler, /nonexistent node pool/)
    t.equal(held.state, 'running')
    await untilBuild(scheduler, '2', isPlaced)
    t.match(await scheduler.health(), [/submission of class large is held/])
    mend()
    await untilBuild(scheduler, '1', isPlaced)
    t.same(await scheduler.health(), [])
  },
)

t.test('B85: a namespace that is missing holds everything until somebody makes it', async (t) => {
  const { scheduler, faults } = await startWorld(t)
  const text = 'job "x" is in nonexistent namespace "ci"'
  const mend = faults.answer(isRegistration, 500, text)
  await scheduler.submit(aRequest())
  await untilDetail(scheduler, /nonexistent namespace "ci"/)
  t.match(await scheduler.health(), [/submission is held/])
  mend()
  await untilBuild(scheduler, '1', isPlaced)
})
