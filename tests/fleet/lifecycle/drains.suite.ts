/** What disturbs the drain of an instance on its way out. */
import t from 'tap'
import { aSimulatedJob, eventually, untilStatus } from '../../dev/nomad-engine/support.ts'
import { startInstance } from '../support/instance.ts'
import { aHook } from '../support/scripted-aws.ts'

const HOUR_NS = 3_600_000_000_000

t.test('F4, F5: what the hook can not wait for is stopped in order, when told to', async (t) => {
  const machine = await startInstance(t)
  await machine.register(aSimulatedJob('build'))
  await untilStatus(machine, 'build', 'running')
  machine.group.hooks = [aHook({ timeoutMs: 3000, capMs: 2000 })]
  machine.metadata.target = 'Terminated'
  machine.startDaemon({ stopAtShare: 0.95 })
  t.match(await machine.until('completed'), { accepted: true })
  const shares = machine.events.flatMap((event) => (event.type === 'cap' ? [event.share] : []))
  t.equal(shares.at(-1), 0.95)
  t.match(await machine.allocations('build'), [{ DesiredStatus: 'stop' }])
})

t.test('F21: a deadline that somebody gave is lifted when the instance goes', async (t) => {
  const machine = await startInstance(t)
  await machine.register(aSimulatedJob('build'))
  await untilStatus(machine, 'build', 'running')
  const path = `/v1/node/${machine.nodeId}`
  await machine.send('PUT', `${path}/drain`, { DrainSpec: { Deadline: HOUR_NS } })
  t.match(await machine.get(path), { DrainStrategy: { Deadline: HOUR_NS } })
  machine.metadata.target = 'Terminated'
  machine.startDaemon()
  await machine.until('left')
  t.match(await machine.get(path), {
    DrainStrategy: { Deadline: 0 },
    LastDrain: { Meta: { caravan_by: 'lifecycle' } },
  })
  t.match(await machine.allocations('build'), [{ ClientStatus: 'running' }])
  await machine.nomad.deregisterJob('build')
  t.match(await machine.until('completed'), { accepted: true })
})

t.test('F24: a wait that times out on its way is gone on with', async (t) => {
  let cuts = 0
  const machine = await startInstance(t, {
    intercept(call, next) {
      const isWait = /^\/v1\/node\/.*[?&]index=/.test(call.url)
      if (!isWait || cuts >= 2) return next()
      cuts += 1
      return Promise.resolve({ status: 504, headers: {}, body: 'Gateway Timeout' })
    },
  })
  await machine.register(aSimulatedJob('build'))
  await untilStatus(machine, 'build', 'running')
  machine.metadata.target = 'Terminated'
  machine.startDaemon()
  await machine.until('left')
  await eventually(() => cuts === 2, 'both cuts', 30_000)
  t.strictSame(machine.group.completed, [], 'a watch that failed is no drain that is over')
  await machine.nomad.deregisterJob('build')
  t.match(await machine.until('completed'), { accepted: true })
  t.equal(machine.events.filter(({ type }) => type === 'drain').length, 1)
})

t.test('F28: a node that somebody else took out stays out when its instance serves', async (t) => {
  const machine = await startInstance(t)
  await machine.nomad.drainNode(
    machine.nodeId,
    { deadlineMs: null, ignoreSystemJobs: true },
    { meta: { message: 'shutting down' } },
  )
  const readNode = machine.nomad.readNode.bind(machine.nomad)
  let looks = 0
  machine.nomad.readNode = (...args) => {
    looks += 1
    return readNode(...args)
  }
  const { abort, done } = machine.startDaemon()
  await eventually(() => looks > 0, 'a look at the node')
  // What it has begun is over when it is.
  abort.abort()
  await done
  t.equal((await readNode(machine.nodeId))?.SchedulingEligibility, 'ineligible')
  t.notOk(machine.events.some(({ type }) => type === 'undrain'))
})

t.test('F28: a node that a person had taken out stays out when its instance is back', async (t) => {
  let drains = 0
  const machine = await startInstance(t, {
    intercept(call, next) {
      if (call.method !== 'GET' && /\/drain(\?|$)/.test(call.url)) drains += 1
      return next()
    },
  })
  const isOut = async () =>
    (await machine.nomad.readNode(machine.nodeId))?.SchedulingEligibility === 'ineligible'
  await machine.nomad.setEligibility(machine.nodeId, 'ineligible')
  machine.metadata.target = 'Standby'
  machine.startDaemon()
  await machine.until('empty')
  t.equal(drains, 1, 'it is drained')
  machine.metadata.target = 'InService'
  await eventually(() => drains === 2, 'the drain is taken back')
  t.ok(await isOut())
  await machine.nomad.setEligibility(machine.nodeId, 'eligible')
  machine.events.length = 0
  machine.metadata.target = 'Standby'
  await machine.until('empty')
  machine.metadata.target = 'InService'
  await machine.until('undrain')
  t.notOk(await isOut(), 'and comes back when nobody had')
})

t.test('F28: a daemon that starts anew does not give back what a person took out', async (t) => {
  let reads = 0
  const machine = await startInstance(t, {
    intercept(call, next) {
      if (call.method === 'GET' && call.url.startsWith('/v1/node/')) reads += 1
      return next()
    },
  })
  machine.metadata.target = 'Standby'
  const first = machine.startDaemon()
  await machine.until('empty')
  machine.metadata.target = 'InService'
  await machine.until('undrain')
  first.abort.abort()
  await first.done
  await machine.nomad.setEligibility(machine.nodeId, 'ineligible')
  machine.events.length = 0
  reads = 0
  const second = machine.startDaemon()
  await eventually(() => reads > 0, 'the node is read')
  second.abort.abort()
  await second.done
  t.same(
    machine.events.filter(({ type }) => type === 'undrain'),
    [],
  )
  const node = await machine.nomad.readNode(machine.nodeId)
  t.equal(node?.SchedulingEligibility, 'ineligible')
})
