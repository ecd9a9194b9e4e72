import { writeFileSync } from 'node:fs'
import t from 'tap'
import { CaravanError } from '../../../src/model/index.ts'
import { aJob, aSimulatedJob, eventually, untilStatus } from '../../dev/nomad-engine/support.ts'
import { startInstance } from '../support/instance.ts'
import { aHook, throttled } from '../support/scripted-aws.ts'

/** Runs until there is such a file. */
const untilFile = (file: string) => `while [ ! -e ${file} ]; do sleep 0.05; done`

t.test(
  'F1, F8: an instance that has to go waits for its build, beats, and then goes',
  async (t) => {
    const machine = await startInstance(t)
    const done = `${machine.dataDir}/done`
    await machine.register(aJob('build', untilFile(done)))
    await untilStatus(machine, 'build', 'running')
    machine.group.faults = { completeAction: [throttled(), throttled()] }
    machine.group.hooks = [aHook({ timeoutMs: 3000 })]
    machine.startDaemon()
    await machine.until('ready')
    t.equal((await machine.nomad.readNode(machine.nodeId))?.SchedulingEligibility, 'eligible')
    machine.metadata.target = 'Terminated'
    t.match(await machine.until('drain'), { node_id: machine.nodeId })
    const node = await machine.nomad.readNode(machine.nodeId)
    t.equal(node?.DrainStrategy?.Deadline, 0, 'Nomad is given no deadline')
    t.match(node?.LastDrain?.Meta, { caravan_by: 'lifecycle' })
    t.match(await machine.until('left'), { allocations: [{ job: 'build', status: 'running' }] })
    await eventually(() => machine.group.beats.length >= 2, 'two beats')
    t.strictSame(machine.group.completed, [], 'not while something runs')
    await machine.send('PUT', '/v1/jobs', { Job: aJob('next', 'true') })
    // No beat comes between the completions that fail: one that is taken ends the trouble.
    machine.group.hooks = [aHook({ timeoutMs: 3_600_000 })]
    const beats = machine.group.beats.length
    await eventually(() => machine.group.beats.length > beats, 'the last beat')
    writeFileSync(done, '')
    t.match(await machine.until('completed'), { hook: 'caravan-drain', accepted: true })
    t.strictSame(machine.group.completed, [{ hook: 'caravan-drain', result: 'CONTINUE' }])
    t.strictSame(await machine.allocations('next'), [], 'nothing new was placed meanwhile')
    const trouble = machine.events.filter(({ type }) => type === 'trouble')
    t.equal(trouble.length, 1, 'what was tried again is told once')
  },
)

t.test('F26, F94: a daemon that was killed is followed by one that finishes', async (t) => {
  const machine = await startInstance(t)
  await machine.register(aSimulatedJob('build'))
  await untilStatus(machine, 'build', 'running')
  machine.metadata.target = 'Terminated'
  const first = machine.startDaemon()
  await machine.until('left')
  first.abort.abort()
  await first.done
  t.strictSame(machine.group.completed, [])
  const started = (await machine.nomad.readNode(machine.nodeId))?.LastDrain?.Meta?.['caravan_since']
  machine.events.length = 0
  machine.startDaemon()
  await machine.until('beat')
  await machine.until('left')
  const node = await machine.nomad.readNode(machine.nodeId)
  t.equal(node?.LastDrain?.Meta?.['caravan_since'], started, 'the drain is not begun again')
  await machine.nomad.deregisterJob('build')
  t.match(await machine.until('completed'), { accepted: true })
})

t.test('F38: a system job keeps no instance from going, and runs to the end', async (t) => {
  const machine = await startInstance(t)
  const job = aSimulatedJob('metrics')
  await machine.register({ ...job, Type: 'system' })
  await untilStatus(machine, 'metrics', 'running')
  machine.metadata.target = 'Terminated'
  machine.startDaemon()
  t.match(await machine.until('completed'), { accepted: true })
  t.match(await machine.allocations('metrics'), [{ ClientStatus: 'running' }])
})

t.test(
  'what is to be done before is done when nothing runs, and holds up nothing when it fails',
  async (t) => {
    const machine = await startInstance(t)
    machine.metadata.target = 'Terminated'
    let hasRun = false
    machine.startDaemon({
      beforeComplete: async () => {
        hasRun = machine.group.completed.length === 0
        throw new Error('no output could be delivered')
      },
    })
    await machine.until('completed')
    t.ok(hasRun)
    t.match(
      machine.events.find(({ type }) => type === 'trouble'),
      { with: 'command', message: 'no output could be delivered' },
    )
  },
)

t.test('what the metadata service says last stands while it says nothing of sense', async (t) => {
  const machine = await startInstance(t)
  await machine.register(aSimulatedJob('build'))
  await untilStatus(machine, 'build', 'running')
  machine.metadata.target = '<html>login</html>'
  machine.startDaemon()
  t.match(await machine.until('trouble'), { with: 'imds' })
  t.equal((await machine.nomad.readNode(machine.nodeId))?.SchedulingEligibility, 'eligible')
  machine.metadata.target = 'Terminated'
  await machine.until('left')
  machine.metadata.target = 401
  await eventually(
    () => machine.events.filter(({ type }) => type === 'trouble').length >= 2,
    'the next trouble',
    20_000,
  )
  await machine.nomad.deregisterJob('build')
  t.match(await machine.until('completed'), { accepted: true })
})

t.test(
  'F28, F74: a node that rests comes back when its instance does, and others are left alone',
  async (t) => {
    const machine = await startInstance(t)
    machine.metadata.target = 'Warmed:Stopped'
    machine.startDaemon()
    await machine.until('empty')
    t.equal((await machine.nomad.readNode(machine.nodeId))?.SchedulingEligibility, 'ineligible')
    t.strictSame(machine.group.calls, [], 'no hook is asked about')
    machine.metadata.target = 'InService'
    t.match(await machine.until('undrain'), { node_id: machine.nodeId })
    t.equal((await machine.nomad.readNode(machine.nodeId))?.SchedulingEligibility, 'eligible')
    await machine.nomad.setEligibility(machine.nodeId, 'ineligible')
    machine.events.length = 0
    machine.metadata.target = 'Standby'
    await machine.until('empty')
  },
)

t.test(
  'F27: a node that somebody gives back while its instance goes is taken out again',
  async (t) => {
    const machine = await startInstance(t)
    await machine.register(aSimulatedJob('build'))
    await untilStatus(machine, 'build', 'running')
    machine.metadata.target = 'Terminated'
    machine.startDaemon()
    await machine.until('left')
    await machine.nomad.drainNode(machine.nodeId, null, { markEligible: true })
    await machine.nomad.deregisterJob('build')
    t.match(await machine.until('completed'), { accepted: true })
    const node = await machine.nomad.readNode(machine.nodeId)
    t.equal(node?.SchedulingEligibility, 'ineligible')
  },
)

t.test(
  'F65: what still runs shortly before EC2 takes the machine is stopped in order',
  async (t) => {
    const machine = await startInstance(t)
    await machine.register(aSimulatedJob('build'))
    await untilStatus(machine, 'build', 'running')
    machine.startDaemon()
    await machine.until('ready')
    const when = new Date(Date.now() + 21_000).toISOString()
    machine.metadata.spot = JSON.stringify({ action: 'terminate', time: when })
    await machine.until('spot_notice')
    await machine.until('left')
    t.match(
      await machine.allocations('build'),
      [{ ClientStatus: 'running' }],
      'it may go on at first',
    )
    t.match(await machine.until('completed'), { accepted: true })
    t.match((await machine.allocations('build'))[0]?.ClientStatus, /complete|failed/)
  },
)

t.test(
  'F24: Nomad out of reach holds the instance, unless somebody said for how long',
  async (t) => {
    const machine = await startInstance(t)
    const away = new CaravanError('NOMAD_UNREACHABLE', 'Nomad does not answer')
    machine.nomad.agentSelf = () => Promise.reject(away)
    machine.metadata.target = 'Terminated'
    const patient = machine.startDaemon()
    await machine.until('beat')
    await eventually(
      () => machine.events.some((event) => event.type === 'trouble' && event.with === 'nomad'),
      'that Nomad is away',
    )
    t.strictSame(machine.group.completed, [])
    patient.abort.abort()
    await patient.done
    machine.startDaemon({ giveUpMs: 500 })
    t.match(await machine.until('completed'), { accepted: true })
  },
)

t.test('F6: when the group waits no longer, what runs is stopped in order', async (t) => {
  const machine = await startInstance(t)
  await machine.register(aSimulatedJob('build'))
  await untilStatus(machine, 'build', 'running')
  machine.metadata.target = 'Terminated'
  machine.group.hooks = [aHook({ timeoutMs: 3000 })]
  machine.startDaemon()
  await machine.until('left')
  machine.group.lifecycle = 'Terminating:Proceed'
  t.match(await machine.until('lapsed'), { state: 'Terminating:Proceed' })
  await machine.until('empty')
  t.match(await machine.until('completed'), { accepted: false })
  t.match(await machine.allocations('build'), [{ DesiredStatus: 'stop' }])
})

t.test('what a token may not see keeps an instance all the same', async (t) => {
  const machine = await startInstance(t)
  await machine.register(aSimulatedJob('secret'))
  await untilStatus(machine, 'secret', 'running')
  // As a server answers whose access control leaves out other namespaces.
  const { nomad } = machine
  const watch = nomad.watch.bind(nomad)
  nomad.nodeAllocations = async () => []
  nomad.watch = ((what: 'node' | 'nodeAllocations', id: string, signal: AbortSignal) =>
    what === 'node' ? watch(what, id, signal) : nothing()) as typeof nomad.watch
  machine.metadata.target = 'Terminated'
  machine.startDaemon()
  await eventually(() => machine.group.beats.length >= 1, 'a beat')
  const drained = async () => (await nomad.readNode(machine.nodeId))?.Drain
  await eventually(drained, 'the drain')
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.strictSame(machine.group.completed, [], 'the lists show nothing, and the drain is not over')
  await nomad.deregisterJob('secret')
  t.match(await machine.until('completed'), { accepted: true })
})

const launchHook = (name: string) =>
  aHook({ name, transition: 'launching', timeoutMs: 3000, defaultResult: 'ABANDON' })

t.test('F13: an instance is held in its launching hook until its node is ready', async (t) => {
  const machine = await startInstance(t)
  const { nomad, group } = machine
  const readNode = nomad.readNode.bind(nomad)
  let isReady = false
  nomad.readNode = async (id) => {
    const node = await readNode(id)
    return node === null || isReady ? node : { ...node, Status: 'initializing' }
  }
  group.lifecycle = 'Pending:Wait'
  group.hooks = [aHook(), launchHook('install'), launchHook('caravan-launch')]
  machine.startDaemon()
  t.match(await machine.until('beat'), { hook: 'caravan-launch' })
  await eventually(() => group.beats.length >= 2, 'the next beat')
  t.strictSame(group.completed, [])
  isReady = true
  t.match(await machine.until('completed'), { hook: 'caravan-launch', accepted: true })
  t.strictSame(group.completed, [{ hook: 'caravan-launch', result: 'CONTINUE' }])
  t.equal((await nomad.readNode(machine.nodeId))?.SchedulingEligibility, 'eligible')
  group.lifecycle = 'Terminating:Wait'
  machine.metadata.target = 'Terminated'
  await eventually(() => group.completed.length === 2, 'the way out', 30_000)
  t.match(group.completed[1], { hook: 'caravan-drain' })
})

t.test('F10: the launching hook of somebody else holds an instance, and is not ours', async (t) => {
  const machine = await startInstance(t)
  const { group } = machine
  group.lifecycle = 'Pending:Wait'
  group.hooks = [aHook(), launchHook('install')]
  machine.startDaemon()
  await eventually(() => group.calls.some(({ call }) => call === 'readHooks'), 'a look')
  machine.metadata.target = 'Terminated'
  await machine.until('drain')
  const touched = group.calls.filter(({ hook }) => hook === 'install')
  t.strictSame(touched, [])
})

async function* nothing(): AsyncGenerator<never[]> {
  yield []
}

t.test(
  'F30: a node that Nomad does not know yet is waited for, and drained when it comes',
  async (t) => {
    const machine = await startInstance(t)
    await machine.register(aSimulatedJob('build'))
    await untilStatus(machine, 'build', 'running')
    const { nomad } = machine
    const readNode = nomad.readNode.bind(nomad)
    let isKnown = false
    nomad.readNode = async (id) => (isKnown ? readNode(id) : null)
    machine.metadata.target = 'Terminated'
    machine.startDaemon()
    await eventually(() => machine.group.beats.length >= 1, 'a beat')
    await new Promise((resolve) => setTimeout(resolve, 300))
    t.strictSame(machine.group.completed, [])
    isKnown = true
    t.match(await machine.until('left'), { allocations: [{ job: 'build' }] })
    await machine.nomad.deregisterJob('build')
    t.match(await machine.until('completed'), { accepted: true })
  },
)
