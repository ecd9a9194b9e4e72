/** What others do to hooks, and to instances that wait for them. */
import { inWords, type Move, type Scene } from '../scene.ts'

const waits = ({ state }: NonNullable<ReturnType<Scene['member']>>) =>
  state.value === 'Terminating:Wait'

/** The hook that controllers wait by. */
export const HOOK = 'caravan-drain'

export const HOOK_MOVES: readonly Move[] = [
  {
    name: 'the timeout of a hook changes',
    strike(scene) {
      const { group } = scene.pool()
      if (!scene.cluster.aws.world.groups.get(group)?.hooks.has(HOOK)) return null
      // Nobody can beat in time for what a list shows too late.
      const isLate = scene.cluster.aws.world.settings.lag.groupMs > 0
      const timeoutS = scene.dice.whole(isLate ? 60 : 30, 900)
      scene.cluster.putHook(timeoutS, HOOK, 'TERMINATING', group)
      return `the timeout of the hook of ${group} is ${timeoutS} s now`
    },
  },
  {
    name: 'a hook is deleted',
    strike(scene) {
      const { group } = scene.pool()
      const input = { AutoScalingGroupName: group, LifecycleHookName: HOOK }
      if (!scene.call('DeleteLifecycleHook', input)) return null
      const ms = scene.seconds(5, 600)
      scene.later(ms, `the hook of ${group} is put back`, () => {
        scene.cluster.putHook(scene.dice.whole(60, 600), HOOK, 'TERMINATING', group)
      })
      return `the hook of ${group} is deleted for ${inWords(ms)}`
    },
  },
  {
    name: 'somebody completes a hook',
    strike(scene) {
      const member = scene.member(waits)
      if (member === undefined) return null
      const LifecycleActionResult = scene.dice.chance(0.5) ? 'CONTINUE' : 'ABANDON'
      const { id } = member.machine
      const isDone = scene.call('CompleteLifecycleAction', {
        AutoScalingGroupName: member.group.name,
        LifecycleHookName: HOOK,
        InstanceId: id,
        LifecycleActionResult,
      })
      return isDone ? `somebody completes the hook of ${id} with ${LifecycleActionResult}` : null
    },
  },
  {
    name: 'somebody beats, too',
    strike(scene) {
      const member = scene.member(waits)
      if (member === undefined) return null
      const { id } = member.machine
      const isDone = scene.call('RecordLifecycleActionHeartbeat', {
        AutoScalingGroupName: member.group.name,
        LifecycleHookName: HOOK,
        InstanceId: id,
      })
      return isDone ? `somebody beats for ${id}` : null
    },
  },
]

/** Another program has a hook of its own, and completes it in its own time, or lets it lapse. */
export function serveOtherHook(scene: Scene, name: string): void {
  scene.cluster.aws.subscribe((event) => {
    if (event.type !== 'action-opened' || event.hook !== name) return
    if (scene.dice.chance(0.1)) return
    const input = {
      AutoScalingGroupName: event.group,
      LifecycleHookName: name,
      InstanceId: event.instance,
      LifecycleActionResult: scene.dice.chance(0.9) ? 'CONTINUE' : 'ABANDON',
    }
    const text = `the other hook of ${event.instance} is completed`
    scene.later(scene.seconds(1, 50), text, () => scene.call('CompleteLifecycleAction', input))
  })
}
