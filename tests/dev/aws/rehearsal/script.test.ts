/** Scripts of rehearsals: what they may say, and that it is done at its time. */
import t from 'tap'
import { isCaravanError } from '../../../../src/model/index.ts'
import type { Problem } from '../../../../src/model/index.ts'
import { Faults, createInProcessClient, parseScript } from '../../../../src/dev/index.ts'
import { play } from '../../../../src/dev/aws/rehearsal/player.ts'
import type { RehearsalJob } from '../../../../src/dev/aws/rehearsal/player.ts'
import { silentLog } from '../../../../src/platform/index.ts'
import { GROUP, SECOND, aServingGroup } from '../support.ts'

const problemsOf = (script: unknown): string[] => {
  try {
    parseScript(typeof script === 'string' ? script : JSON.stringify(script), 'a.json')
    return []
  } catch (error) {
    if (!isCaravanError(error, 'INPUT_INVALID')) throw error
    return (error.detail['problems'] as Problem[]).map(({ message }) => message)
  }
}

/** As the guide lists them. */
const DOS =
  'call, scale, terminate, run, fail-calls, say, end, spot-notice, rebalance-recommendation, self-shutdown, machine-failure, slow-shutdown, fail-launches, mend-launches, break-boots, lag'

t.test('steps are read, filled in and sorted by time', (t) => {
  const steps = parseScript(
    JSON.stringify([
      { at: '2m', do: 'end' },
      { at: '5s', do: 'terminate' },
      { at: '1s', do: 'lag', group: '3s' },
    ]),
    'a.json',
  )
  t.match(steps, [
    { at: 1000, do: 'lag', group: '3s' },
    { at: 5000, do: 'terminate', instance: 'oldest', decrement: true },
    { at: 120_000, do: 'end', when: 'now' },
  ])
  t.end()
})

t.test('every fault of a script is told with its step', (t) => {
  t.same(problemsOf('{'), ['is no JSON'])
  t.same(problemsOf({}), ['the script: expected a list'])
  t.same(problemsOf([]), ['the script: has no step'])
  const faults = problemsOf([
    { at: '5', do: 'terminate' },
    { at: '5s', do: 'dance' },
    { at: '5s', do: 'scale', group: 'g' },
    { at: '5s', do: 'say', text: 'x', loud: true },
    { at: '5s', do: 'slow-shutdown', for: 'soon' },
    { at: '5s', do: 'lag', group: '3' },
    { at: '5s', do: 'call', action: 'CreateGroup' },
    { at: 5, do: 'terminat' },
    { do: 'mend-launches' },
  ])
  t.same(faults, [
    'step 1, at: not a duration such as 5s or 2m: "5"',
    `step 2, do: there is no "dance"; there are ${DOS}`,
    'step 3, desired: is missing',
    'step 4: takes no loud',
    'step 5, for: not a duration such as 5s or 2m',
    'step 6, group: not a duration such as 5s or 2m',
    'step 7, action: the emulator has no such action of that service',
    'step 8, do: there is no "terminat"; did you mean terminate?',
    'step 9, at: is missing',
  ])
  t.end()
})

async function aStage(t: Parameters<typeof aServingGroup>[0]) {
  const region = await aServingGroup(t)
  const faults = new Faults()
  const jobs: RehearsalJob[] = []
  const stop = new AbortController()
  const start = (script: object[]) =>
    play(
      parseScript(JSON.stringify(script), 'a.json'),
      {
        aws: region.aws,
        faults,
        clock: region.clock,
        log: silentLog,
        runJob: async (job) => void jobs.push(job),
      },
      stop.signal,
    )
  return { ...region, faults, jobs, stop, start }
}

t.test('each step is done at its time', async (t) => {
  const stage = await aStage(t)
  const ended = stage.start([
    { at: '1s', do: 'scale', group: GROUP, desired: 3 },
    { at: '2s', do: 'run', count: 2, for: '30s' },
    { at: '5s', do: 'terminate', instance: 'newest' },
    { at: '6s', do: 'fail-calls', action: 'SetDesiredCapacity', times: 1 },
    { at: '7s', do: 'spot-notice' },
    {
      at: '8s',
      do: 'call',
      service: 'ec2',
      action: 'StopInstances',
      input: { InstanceIds: [stage.ids[1]] },
    },
    { at: '9s', do: 'end' },
  ])
  await stage.clock.tick(999)
  t.equal(stage.group().DesiredCapacity, 2)
  await stage.clock.tick(1)
  t.equal(stage.group().DesiredCapacity, 3)
  await stage.clock.tick(SECOND)
  t.match(stage.jobs, [{ name: 'rehearsal', count: 2, runMs: 30_000 }])
  await stage.clock.tick(3 * SECOND)
  const leaving = stage.instances().find(({ LifecycleState }) => LifecycleState !== 'InService')
  t.notOk(stage.ids.includes(leaving?.InstanceId ?? ''), 'the newest')
  await stage.clock.tick(SECOND)
  const client = createInProcessClient(stage.aws, 'autoscaling', stage.faults.intercept)
  class SetDesiredCapacityCommand {
    readonly input = { AutoScalingGroupName: GROUP, DesiredCapacity: 2 }
  }
  await t.rejects(client.send(new SetDesiredCapacityCommand()), { name: 'Throttling' })
  await stage.clock.tick(SECOND)
  t.ok(stage.events.some(({ type }) => type === 'spot-notice'))
  await stage.clock.tick(2 * SECOND)
  t.equal(stage.machineState(stage.ids[1] ?? ''), 'stopped')
  t.equal(await ended, 'ended')
})

t.test('an end that waits comes when every group has settled', async (t) => {
  const stage = await aStage(t)
  let outcome: string | undefined
  const ended = stage
    .start([
      { at: '1s', do: 'terminate' },
      { at: '2s', do: 'end', when: 'settled' },
    ])
    .then((value) => (outcome = value))
  await stage.clock.tick(20 * SECOND)
  t.equal(outcome, undefined)
  await stage.clock.tick(15 * SECOND)
  t.equal(outcome, 'ended')
  await ended
})

t.test('a step that is refused ends the script, a signal stops it', async (t) => {
  const stage = await aStage(t)
  const refused = stage.start([{ at: '0s', do: 'scale', group: 'nobody', desired: 1 }])
  await t.rejects(refused, {
    code: 'INPUT_INVALID',
    message: 'step 1 of the script (scale, at 0 s) was refused',
    cause: { code: 'ValidationError' },
  })
  const stopped = stage.start([{ at: '1h', do: 'end' }])
  stage.stop.abort()
  t.equal(await stopped, 'stopped')
  const second = await aStage(t)
  t.equal(await second.start([{ at: '0s', do: 'say', text: 'hello' }]), 'played')
})
