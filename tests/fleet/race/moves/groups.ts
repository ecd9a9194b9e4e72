/** What other people and programs do to groups and their instances. */
import { SCALING_PROCESSES } from '../../../../src/dev/aws/core/world.ts'
import { classOf } from '../../support/queue.ts'
import { MINUTE, type Move, type Scene } from '../scene.ts'

type Member = NonNullable<ReturnType<Scene['member']>>

/** A call about one instance of a group. */
function toOne(
  name: string,
  action: string,
  inputOf: (member: Member, scene: Scene) => object,
  fits: (member: Member) => boolean = () => true,
): Move {
  return {
    name,
    strike(scene) {
      const member = scene.member(fits)
      if (member === undefined) return null
      const input = inputOf(member, scene)
      return scene.call(action, input) ? `${name}: ${JSON.stringify(input)}` : null
    },
  }
}

/** A call about a group. */
function toGroup(
  name: string,
  action: string,
  inputOf: (scene: Scene, group: string) => object,
): Move {
  return {
    name,
    strike(scene) {
      const { group } = scene.pool()
      const input = { AutoScalingGroupName: group, ...inputOf(scene, group) }
      return scene.call(action, input) ? `${name}: ${JSON.stringify(input)}` : null
    },
  }
}

const inService = ({ state }: Member) => state.value === 'InService'
const batch = ({ group, machine }: Member) => {
  return { AutoScalingGroupName: group.name, InstanceIds: [machine.id] }
}

const SIZES: readonly Move[] = [
  toGroup('somebody sets the size', 'SetDesiredCapacity', ({ dice }) => {
    return { DesiredCapacity: dice.whole(0, 15) }
  }),
  toGroup('somebody changes the bounds', 'UpdateAutoScalingGroup', ({ dice }) => {
    return { MinSize: dice.whole(0, 3), MaxSize: dice.whole(4, 18) }
  }),
  toGroup('an action is scheduled', 'PutScheduledUpdateGroupAction', ({ dice, cluster }) => {
    const startMs = cluster.aws.now() + dice.whole(1, 5) * MINUTE
    return {
      ScheduledActionName: 'of-others',
      StartTime: new Date(startMs),
      DesiredCapacity: dice.whole(0, 12),
    }
  }),
  toGroup('zones change', 'UpdateAutoScalingGroup', ({ dice }) => {
    const zones = ['a', 'b', 'c'].filter(() => dice.chance(0.6))
    return { AvailabilityZones: zones.length > 0 ? zones : ['a'] }
  }),
  toGroup('the template changes', 'UpdateAutoScalingGroup', ({ dice }) => {
    const Version = String(dice.whole(1, 3))
    return { LaunchTemplate: { LaunchTemplateName: 'client', Version } }
  }),
  toGroup('processes are suspended', 'SuspendProcesses', ({ dice }) => {
    return { ScalingProcesses: [dice.pick(SCALING_PROCESSES)] }
  }),
  toGroup('launching or terminating is suspended', 'SuspendProcesses', ({ dice }) => {
    return { ScalingProcesses: [dice.pick(['Launch', 'Terminate'])] }
  }),
  toGroup('all processes are resumed', 'ResumeProcesses', () => ({})),
  toGroup('a refresh is started', 'StartInstanceRefresh', ({ dice }) => {
    return {
      Preferences: {
        MinHealthyPercentage: dice.whole(0, 10) * 10,
        InstanceWarmup: dice.whole(0, 60),
        ScaleInProtectedInstances: dice.pick(['Refresh', 'Ignore', 'Wait']),
        StandbyInstances: dice.pick(['Terminate', 'Ignore', 'Wait']),
        ...(dice.chance(0.3) && { MaxHealthyPercentage: 150 }),
      },
    }
  }),
  toGroup('the refresh is canceled', 'CancelInstanceRefresh', () => ({})),
]

const INSTANCES: readonly Move[] = [
  toOne('somebody terminates', 'TerminateInstanceInAutoScalingGroup', ({ machine }, { dice }) => {
    return { InstanceId: machine.id, ShouldDecrementDesiredCapacity: dice.chance(0.5) }
  }),
  toOne('somebody finds it ill', 'SetInstanceHealth', ({ machine }) => {
    return { InstanceId: machine.id, HealthStatus: 'Unhealthy', ShouldRespectGracePeriod: false }
  }),
  toOne(
    'into standby',
    'EnterStandby',
    (member, { dice }) => {
      return { ...batch(member), ShouldDecrementDesiredCapacity: dice.chance(0.5) }
    },
    inService,
  ),
  toOne('out of standby', 'ExitStandby', batch, ({ state }) => state.value === 'Standby'),
  toOne(
    'detached',
    'DetachInstances',
    (member, { dice }) => {
      return { ...batch(member), ShouldDecrementDesiredCapacity: dice.chance(0.5) }
    },
    inService,
  ),
  {
    name: 'attached again',
    strike(scene) {
      const { name, group } = scene.pool()
      const machines = [...scene.cluster.aws.world.machines.values()]
      const free = machines.filter(
        ({ id, group: own, state }) =>
          own === null &&
          state.value === 'running' &&
          scene.cluster.nomad.nodeOf(id)?.NodeClass === classOf(name),
      )
      if (free.length === 0) return null
      const { id } = scene.dice.pick(free)
      const input = { AutoScalingGroupName: group, InstanceIds: [id] }
      return scene.call('AttachInstances', input) ? `attached again: ${id}` : null
    },
  },
  {
    name: 'protected by a person',
    strike(scene) {
      const member = scene.member(inService)
      if (member === undefined) return null
      const input = { ...batch(member), ProtectedFromScaleIn: true }
      if (!scene.call('SetInstanceProtection', input)) return null
      scene.protectedByOthers.add(member.machine.id)
      return `protected by a person: ${member.machine.id}`
    },
  },
]

export const GROUP_MOVES: readonly Move[] = [...SIZES, ...INSTANCES]
