/** What groups do when machines die, launches fail, or EC2 takes capacity back. */
import t from 'tap'
import { GROUP, HOUR, MINUTE, SECOND, aServingGroup, refusalOf } from '../support.ts'

t.test(
  'a machine that is ended behind the back of its group goes by way of the hook, and is replaced',
  async (t) => {
    const region = await aServingGroup(t)
    const [id = ''] = region.ids
    region.ec2('TerminateInstances', { InstanceIds: [id] })
    t.equal(region.machineState(id), 'shutting-down')
    t.equal(region.stateOf(id), 'InService', 'the group has not noticed yet')
    await region.clock.tick(12 * SECOND)
    t.equal(region.stateOf(id), 'Terminating:Wait')
    t.equal(region.machineState(id), 'terminated', 'the hook holds the record, not the machine')
    t.equal(region.states().filter((state) => state === 'InService').length, 2)
    t.match(
      region.activities().find(({ Cause }) => Cause.includes('health check'))?.Cause,
      /EC2 health check/,
    )
    region.complete(id)
    t.equal(region.stateOf(id), undefined)
  },
)

t.test('a machine that stops, by hand or by itself, is replaced', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  const [first = '', second = ''] = region.ids
  region.ec2('StopInstances', { InstanceIds: [first] })
  region.aws.disturb({ do: 'self-shutdown', instance: second })
  t.equal(region.machineState(second), 'shutting-down')
  await region.clock.tick(MINUTE)
  t.same(region.states(), ['InService', 'InService'])
  t.notOk(region.stateOf(first) ?? region.stateOf(second))
  t.equal(region.machineState(first), 'terminated')
})

t.test('with health checks suspended nobody notices until they are resumed', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  const [id = ''] = region.ids
  const processes = { AutoScalingGroupName: GROUP, ScalingProcesses: ['HealthCheck'] }
  region.call('SuspendProcesses', processes)
  region.aws.disturb({ do: 'machine-failure', instance: id })
  await region.clock.tick(10 * MINUTE)
  t.equal(region.stateOf(id), 'InService')
  region.call('ResumeProcesses', processes)
  await region.clock.tick(MINUTE)
  t.equal(region.stateOf(id), undefined)
  t.same(region.states(), ['InService', 'InService'])
})

t.test(
  'an instance that is called unhealthy is replaced, unless its grace lasts or that is suspended',
  async (t) => {
    const region = await aServingGroup(t, { group: { HealthCheckGracePeriod: 60 } })
    const [first = '', second = ''] = region.ids
    const call = (InstanceId: string, fields: object = {}) =>
      region.call('SetInstanceHealth', { InstanceId, HealthStatus: 'Unhealthy', ...fields })
    call(first)
    t.equal(region.instances()[0]?.HealthStatus, 'Healthy')
    call(first, { ShouldRespectGracePeriod: false })
    t.equal(region.stateOf(first), 'Terminating')
    region.call('SuspendProcesses', {
      AutoScalingGroupName: GROUP,
      ScalingProcesses: ['ReplaceUnhealthy'],
    })
    await region.clock.tick(2 * MINUTE)
    call(second)
    await region.clock.tick(2 * MINUTE)
    t.equal(region.stateOf(second), 'InService')
    region.call('ResumeProcesses', { AutoScalingGroupName: GROUP })
    await region.clock.tick(MINUTE)
    t.not(region.stateOf(second), 'InService')
  },
)

t.test(
  'launches that fail tell why, are tried again ever later, and stop after a day',
  async (t) => {
    const region = await aServingGroup(t, {
      hook: null,
      group: { AvailabilityZones: ['us-east-1a'] },
    })
    region.aws.disturb({ do: 'fail-launches' })
    region.call('SetDesiredCapacity', { AutoScalingGroupName: GROUP, DesiredCapacity: 3 })
    await region.clock.tick(SECOND)
    const [failed] = region.activities()
    t.equal(failed?.StatusCode, 'Failed')
    t.match(failed?.StatusMessage, /sufficient m5.large capacity .*\(us-east-1a\)/)
    await region.clock.tick(25 * HOUR)
    const failures = region.activities().length
    t.ok(failures > 90, 'the page is full')
    t.equal((region.group()['SuspendedProcesses'] as unknown[]).length, 9)
    region.aws.disturb({ do: 'mend-launches' })
    await region.clock.tick(HOUR)
    t.equal(region.states().length, 2, 'administratively suspended')
    region.call('ResumeProcesses', { AutoScalingGroupName: GROUP })
    await region.clock.tick(2 * SECOND)
    t.equal(region.states().length, 3)
  },
)

t.test('a zone without capacity sends the launch to another one', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  region.aws.disturb({ do: 'fail-launches', zone: 'us-east-1a' })
  region.call('SetDesiredCapacity', { AutoScalingGroupName: GROUP, DesiredCapacity: 6 })
  await region.clock.tick(2 * SECOND)
  t.equal(region.states().length, 6)
  const inB = region.instances().filter(({ AvailabilityZone }) => AvailabilityZone === 'us-east-1b')
  t.equal(inB.length, 5)
})

t.test('a machine whose boot is broken serves, but its software never comes up', async (t) => {
  const region = await aServingGroup(t, { hook: null, group: { DesiredCapacity: 0 } })
  region.aws.disturb({ do: 'break-boots', times: 1 })
  region.call('SetDesiredCapacity', { AutoScalingGroupName: GROUP, DesiredCapacity: 2 })
  await region.clock.tick(HOUR)
  t.same(region.states(), ['InService', 'InService'])
  t.equal(region.events.filter(({ type }) => type === 'booted').length, 1)
})

t.test(
  'a spot notice runs out: the machine is gone while the hook still holds the record',
  async (t) => {
    const region = await aServingGroup(t, { hook: { HeartbeatTimeout: 3600 } })
    const [id = ''] = region.ids
    region.aws.disturb({ do: 'spot-notice', instance: id })
    region.terminate(id, false)
    await region.clock.tick(119 * SECOND)
    t.equal(region.machineState(id), 'running')
    await region.clock.tick(2 * SECOND)
    t.equal(region.machineState(id), 'terminated')
    t.equal(region.stateOf(id), 'Terminating:Wait')
    region.complete(id)
    t.equal(region.stateOf(id), undefined)
  },
)

t.test(
  'with capacity rebalancing a recommendation launches first and terminates then',
  async (t) => {
    const region = await aServingGroup(t, { group: { CapacityRebalance: true, MaxSize: 2 } })
    const [id = ''] = region.ids
    region.aws.disturb({ do: 'rebalance-recommendation', instance: id })
    t.same(region.states(), ['InService', 'InService', 'Pending'], 'above the maximum for a while')
    await region.clock.tick(2 * SECOND)
    t.equal(region.stateOf(id), 'Terminating:Wait')
    t.equal(region.group().DesiredCapacity, 2)
    region.complete(id)
    await region.clock.tick(MINUTE)
    t.same(region.states(), ['InService', 'InService'])
  },
)

t.test('an instance that lives longer than its group allows is replaced', async (t) => {
  const region = await aServingGroup(t, { hook: null, group: { MaxInstanceLifetime: 86_400 } })
  await region.clock.tick(24 * HOUR + 10 * MINUTE)
  t.same(region.states(), ['InService', 'InService'])
  t.notOk(region.ids.some((id) => region.stateOf(id) !== undefined))
})

t.test('a machine may take long to end, and its instance stays with it', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  const [id = ''] = region.ids
  region.aws.disturb({ do: 'slow-shutdown', instance: id, for: '2h' })
  region.terminate(id)
  await region.clock.tick(HOUR)
  t.equal(region.machineState(id), 'shutting-down')
  t.equal(region.stateOf(id), 'Terminating')
  await region.clock.tick(HOUR + MINUTE)
  t.equal(region.stateOf(id), undefined)
})

t.test('a machine that may not be terminated is not, by EC2', async (t) => {
  const region = await aServingGroup(t)
  const [id = ''] = region.ids
  region.ec2('ModifyInstanceAttribute', { InstanceId: id, DisableApiTermination: { Value: true } })
  const refused = refusalOf(() => region.ec2('TerminateInstances', { InstanceIds: [id] }))
  t.equal(refused?.code, 'OperationNotPermitted')
  t.equal(region.machineState(id), 'running')
})
