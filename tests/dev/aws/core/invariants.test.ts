/** Whatever is done to a region, in whatever order, some things hold. */
import fc from 'fast-check'
import t from 'tap'
import type { AwsEmulator } from '../../../../src/dev/index.ts'
import { Refusal } from '../../../../src/dev/index.ts'
import { isCounted, isWaiting } from '../../../../src/dev/aws/core/states.ts'
import { GROUP, MINUTE, aRegion, makeGroup, putHook } from '../support.ts'
import type { Region } from '../support.ts'

type Step = { do: string; pick: number; flag: boolean; seconds: number }

const steps = fc.array(
  fc.record({
    do: fc.constantFrom(
      'terminate',
      'desired',
      'complete',
      'beat',
      'protect',
      'kill',
      'unhealthy',
      'spot',
      'rebalance',
      'standby',
      'exit',
      'detach',
      'suspend',
      'resume',
      'refresh',
      'failures',
      'mend',
      'wait',
    ),
    pick: fc.nat(50),
    flag: fc.boolean(),
    seconds: fc.nat(40),
  }),
  { maxLength: 40 },
)

t.test('counts, waits and machines fit together after every step', async (t) => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const region = await aBusyRegion(t)
      for (const step of script) {
        tryStep(region, step)
        check(region.aws)
        await region.clock.tick(step.seconds * 1000)
        check(region.aws)
      }
      calm(region)
      await region.clock.tick(90 * MINUTE)
      checkRest(region)
      region.aws.close()
    }),
    { numRuns: 60 },
  )
  t.end()
})

t.test('a region comes out the same however often time is looked at', async (t) => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const tell = async (chunkMs: number) => {
        const region = await aBusyRegion(t)
        for (const step of script) {
          tryStep(region, step)
          for (let passed = 0; passed < step.seconds * 1000; passed += chunkMs) {
            await region.clock.tick(Math.min(chunkMs, step.seconds * 1000 - passed))
          }
        }
        region.aws.close()
        return JSON.stringify(region.events)
      }
      return (await tell(60_000)) === (await tell(7000))
    }),
    { numRuns: 15 },
  )
  t.end()
})

async function aBusyRegion(t: { teardown(run: () => void): unknown }): Promise<Region> {
  const region = aRegion(t)
  makeGroup(region, { DesiredCapacity: 4, MinSize: 1, MaxSize: 6, CapacityRebalance: true })
  putHook(region)
  putHook(region, { LifecycleHookName: 'upload' })
  await region.clock.tick(3000)
  return region
}

/** A refusal is a fine answer; anything else that is thrown is a fault. */
function tryStep(region: Region, step: Step): void {
  try {
    perform(region, step)
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
  }
}

function perform(region: Region, { do: what, pick, flag }: Step): void {
  const ids = [...(region.aws.world.groups.get(GROUP)?.members.keys() ?? [])]
  const id = ids[pick % Math.max(ids.length, 1)] ?? 'i-0'
  const hook = pick % 2 === 0 ? 'drain' : 'upload'
  const group = { AutoScalingGroupName: GROUP }
  const one = { ...group, InstanceIds: [id] }
  const acts: Record<string, () => unknown> = {
    terminate: () => region.terminate(id, flag),
    desired: () => region.call('SetDesiredCapacity', { ...group, DesiredCapacity: pick % 8 }),
    complete: () => region.complete(id, flag ? 'CONTINUE' : 'ABANDON', hook),
    beat: () => region.beat(id, hook),
    protect: () => region.call('SetInstanceProtection', { ...one, ProtectedFromScaleIn: flag }),
    kill: () => region.aws.disturb({ do: 'machine-failure', instance: id }),
    unhealthy: () =>
      region.call('SetInstanceHealth', { InstanceId: id, HealthStatus: 'Unhealthy' }),
    spot: () => region.aws.disturb({ do: 'spot-notice', instance: id }),
    rebalance: () => region.aws.disturb({ do: 'rebalance-recommendation', instance: id }),
    standby: () => region.call('EnterStandby', { ...one, ShouldDecrementDesiredCapacity: flag }),
    exit: () => region.call('ExitStandby', one),
    detach: () => region.call('DetachInstances', { ...one, ShouldDecrementDesiredCapacity: flag }),
    suspend: () =>
      region.call('SuspendProcesses', {
        ...group,
        ScalingProcesses: [['Launch', 'Terminate', 'HealthCheck', 'AZRebalance'][pick % 4]],
      }),
    resume: () => region.call('ResumeProcesses', group),
    refresh: () =>
      region.call('StartInstanceRefresh', {
        ...group,
        Preferences: { MinHealthyPercentage: 50, MaxHealthyPercentage: flag ? 150 : 100 },
      }),
    failures: () => region.aws.disturb({ do: 'fail-launches', times: 3 }),
    mend: () => region.aws.disturb({ do: 'mend-launches' }),
    wait: () => undefined,
  }
  acts[what]?.()
}

function check(aws: AwsEmulator): void {
  const { world } = aws
  const group = world.groups.get(GROUP)
  if (group === undefined) throw new Error('the group is gone')
  if (group.desired < group.min || group.desired > group.max)
    throw new Error('desired out of bounds')
  const open = new Set([...group.openActions.values()].map(({ action }) => action))
  for (const { state, actions, machine, isEnding } of group.members.values()) {
    const waits = actions.some((action) => open.has(action))
    if (waits !== isWaiting(state.value))
      throw new Error(`${state.value} with open actions: ${waits}`)
    for (const { deadlineAt, result } of actions) {
      if (result === null && deadlineAt < world.now)
        throw new Error('an action outlived its deadline')
    }
    if (isEnding && machine.state.value === 'terminated') throw new Error('a dead member stays')
  }
  const waiting = [...group.members.values()].flatMap(({ actions }) => actions)
  if (waiting.filter(({ result }) => result === null).length !== open.size) throw new Error('lost')
}

function calm(region: Region): void {
  const group = { AutoScalingGroupName: GROUP }
  region.aws.disturb({ do: 'mend-launches' })
  region.call('ResumeProcesses', group)
  const ids = [...(region.aws.world.groups.get(GROUP)?.members.values() ?? [])]
    .filter(({ state }) => state.value === 'InService')
    .map(({ machine }) => machine.id)
  region.call('SetInstanceProtection', { ...group, InstanceIds: ids, ProtectedFromScaleIn: false })
}

/** Left alone, the group is as large as it should be, and nothing is left over. */
function checkRest({ aws }: Region): void {
  const group = aws.world.groups.get(GROUP)
  const members = [...(group?.members.values() ?? [])]
  const counted = members.filter(({ state }) => isCounted(state.value))
  if (counted.length !== group?.desired) {
    throw new Error(`${counted.length} instances where ${group?.desired} are desired`)
  }
  if (counted.some(({ state }) => state.value !== 'InService')) throw new Error('not settled')
  if (counted.some(({ machine }) => machine.state.value !== 'running')) throw new Error('dead')
  const alive = [...aws.world.machines.values()].filter(({ state }) => state.value === 'running')
  const owned = members.filter(({ machine }) => machine.state.value === 'running')
  const detached = alive.filter((machine) => machine.group === null)
  if (alive.length !== owned.length + detached.length) throw new Error('a machine leaked')
}
