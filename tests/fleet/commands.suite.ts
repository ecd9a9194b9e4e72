/** The commands for hook scripts as their own processes, with the real clients of AWS, on the emulator. */
import t from 'tap'
import { completeReport, drainReport, lifecycleEvent } from '../../src/model/index.ts'
import { eventually } from '../dev/nomad-engine/support.ts'
import { GROUP, HOOK, lines, startBusyFarm, startFarm } from './support/farm.ts'

t.test(
  'F1, F10: drain, beat and complete by hand hold an instance until its build is over',
  async (t) => {
    const { farm, instance } = await startBusyFarm(t)
    farm.terminate(instance)
    await farm.untilState(instance, 'Terminating:Wait')
    const early = await farm.fleet('complete', '--instance', instance, '--json')
    t.equal(early.code, 2, early.stderr)
    t.match(early.stderr, /takes work: drain it first/)
    const waiting = farm.start(['drain', '--instance', instance, '--wait', '--heartbeat', '--json'])
    await eventually(async () => {
      const node = await farm.get<{ Drain: boolean }>(`/v1/node/${farm.nodeOf(instance)}`)
      return node.Drain
    }, 'the drain')
    const refused = await farm.fleet('complete', '--instance', instance, '--json')
    t.equal(refused.code, 1, refused.stderr)
    t.match(completeReport.parse(lines(refused)[0]), {
      outcome: 'refused',
      hook: HOOK,
      group: GROUP,
      allocations: [{ job: 'build', status: 'running' }],
    })
    t.equal(farm.stateOf(instance), 'Terminating:Wait')
    await farm.send('DELETE', '/v1/job/build')
    const drained = await waiting.ended
    t.equal(drained.code, 0, drained.stderr)
    t.match(drainReport.parse(lines(drained)[0]), { instance, outcome: 'empty', allocations: [] })
    const planned = await farm.fleet('complete', '--instance', instance, '--dry-run', '--json')
    t.match(lines(planned)[0], { outcome: 'planned' })
    t.equal(farm.stateOf(instance), 'Terminating:Wait')
    const done = await farm.fleet('complete', '--instance', instance, '--json')
    t.equal(done.code, 0, done.stderr)
    t.match(completeReport.parse(lines(done)[0]), { outcome: 'completed', result: 'CONTINUE' })
    await farm.untilState(instance, null)
    const again = await farm.fleet('complete', '--instance', instance, '--json')
    t.equal(again.code, 0, again.stderr)
    t.match(lines(again)[0], { outcome: 'over' }, 'F9: twice is no fault')
  },
)

t.test(
  'a drain waits no longer than it may, and stops builds only when it is told to',
  async (t) => {
    const { farm, instance } = await startBusyFarm(t)
    const dry = await farm.fleet('drain', '--self', '--dry-run', '--json')
    t.match(lines(dry)[0], { outcome: 'planned', allocations: [{ job: 'build' }] })
    const late = await farm.fleet('drain', '--self', '--wait', '--deadline', '1s', '--json')
    t.equal(late.code, 1, late.stderr)
    t.match(lines(late)[0], { outcome: 'busy', allocations: [{ job: 'build' }] })
    t.match(await farm.allocations('build'), [{ ClientStatus: 'running' }])
    const back = await farm.fleet('undrain', '--instance', instance, '--json')
    t.equal(back.code, 0, back.stderr)
    t.match(await farm.get(`/v1/node/${farm.nodeOf(instance)}`), {
      Drain: false,
      SchedulingEligibility: 'eligible',
    })
    const forced = await farm.fleet(
      'drain',
      '--node',
      farm.nodeOf(instance).slice(0, 8),
      '--force',
      '--wait',
    )
    t.equal(forced.code, 0, forced.stderr)
    t.match(forced.stdout, /is empty/)
    t.equal((await farm.fleet('drain', '--self', '--deadline', '1s')).code, 2)
    t.equal((await farm.fleet('drain', '--node', 'ffffffff')).code, 2)
    const nobody = ['--instance', 'i-00000000000000abc']
    const unknown = await farm.fleet('drain', ...nobody, '--wait', '--await-node', '1s')
    t.equal(unknown.code, 0, 'every node says where it runs, and none there')
    t.match(unknown.stderr, /knows no node/)
  },
)

t.test(
  'F7, F8, F26: the daemon of an instance is killed, and the next one lets it go',
  async (t) => {
    const { farm, instance } = await startBusyFarm(t)
    const first = farm.start(['lifecycle', '--self', '--json'])
    t.match(JSON.parse(await first.firstLine), { type: 'ready', instance, region: 'us-east-1' })
    farm.terminate(instance)
    await farm.untilState(instance, 'Terminating:Wait')
    await eventually(async () => {
      const node = await farm.get<{ Drain: boolean }>(`/v1/node/${farm.nodeOf(instance)}`)
      return node.Drain
    }, 'the drain')
    first.child.kill('SIGKILL')
    await first.ended
    farm.faults.add({ action: 'RecordLifecycleActionHeartbeat', fault: 'Throttling', times: 3 })
    farm.faults.add({ action: 'CompleteLifecycleAction', fault: 'Throttling', times: 2 })
    const second = farm.start(['lifecycle', '--self', '--json'])
    let said = ''
    second.child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await second.firstLine
    await eventually(() => said.includes('"beat"'), 'a beat', 30_000)
    t.equal(farm.stateOf(instance), 'Terminating:Wait')
    await farm.send('DELETE', '/v1/job/build')
    await farm.untilState(instance, null)
    second.child.kill('SIGTERM')
    const ended = await second.ended
    t.equal(ended.code, 0, ended.stderr)
    const events = lines(ended).map((line) => lifecycleEvent.parse(line))
    t.ok(events.some(({ type }) => type === 'beat'))
    t.match(
      events.find(({ type }) => type === 'completed'),
      { accepted: true },
    )
  },
)

t.test('F29: an instance whose node never came is let go at once', async (t) => {
  const farm = await startFarm(t, { registers: false })
  const [instance = ''] = farm.instances()
  farm.terminate(instance)
  await farm.untilState(instance, 'Terminating:Wait')
  t.equal(
    (await farm.fleet('drain', '--instance', instance, '--wait', '--await-node', '1s')).code,
    0,
  )
  const done = await farm.fleet('complete', '--instance', instance)
  t.equal(done.code, 0, done.stderr)
  t.match(done.stdout, /completed with CONTINUE/)
  await farm.untilState(instance, null)
})

t.test('the doctor finds what keeps builds from being waited for', async (t) => {
  const farm = await startFarm(t)
  const sick = await farm.fleet('doctor', '--group', GROUP, '--self', '--controller', '--json')
  t.equal(sick.code, 3, sick.stderr)
  const [findings = []] = lines<{ check: string; state: string }[]>(sick)
  const failed = findings.filter(({ state }) => state === 'failed').map(({ check }) => check)
  t.same(failed, [`${GROUP}: hook time`])
  farm.aws.call('autoscaling', 'PutLifecycleHook', {
    AutoScalingGroupName: GROUP,
    LifecycleHookName: HOOK,
    HeartbeatTimeout: 1800,
  })
  const well = await farm.fleet('doctor', '--group', GROUP)
  t.equal(well.code, 0, well.stdout)
  const none = await farm.fleet('doctor', '--group', 'nobody', '--json')
  t.equal(none.code, 3)
  t.match(none.stdout, /no such group/)
  t.equal((await farm.fleet('doctor')).code, 2)
})
