/**
 * After the trouble: others take back what they did, nobody disturbs any more, and all that was begun must
 * come to its end, with nothing left over.
 */
import type { PoolPolicy } from '../../../src/fleet/index.ts'
import { HOOK } from './moves/index.ts'
import { MINUTE, SECOND, type Scene } from './scene.ts'

/** The longest that anything may take: launches that failed are asked for again after half an hour. */
const CALM_MS = 4 * 60 * MINUTE

/** What was undone is looked after as long as it takes to be seen. */
const STEP_MS = 5 * SECOND

export async function calmDown(scene: Scene): Promise<void> {
  scene.tell('--- calm ---')
  giveBack(scene)
  const { cluster } = scene
  await settles(scene, 'all slices have run', () => cluster.queue.slices.size === 0)
  await settles(scene, 'the pools are at their minimum', () =>
    cluster.policies.every((policy) => isAtMinimum(scene, policy)),
  )
  await settles(scene, 'no node is left ineligible', () =>
    [...cluster.nomad.nodes.values()].every(
      ({ Status, SchedulingEligibility }) =>
        Status !== 'ready' || SchedulingEligibility === 'eligible',
    ),
  )
  await cluster.pass(MINUTE)
  inspect(scene)
}

/** What people have set, people put back. */
function giveBack(scene: Scene): void {
  const { cluster, weather } = scene
  weather.calm()
  cluster.queue.isSilent = false
  scene.befall({ do: 'mend-launches' })
  cluster.aws.change((world) => void (world.conditions.brokenBoots = 0))
  for (const { group, min, max } of cluster.policies) {
    const name = { AutoScalingGroupName: group }
    scene.call('ResumeProcesses', name)
    scene.call('DeleteScheduledAction', { ...name, ScheduledActionName: 'of-others' })
    scene.call('UpdateAutoScalingGroup', { ...name, MinSize: min === max ? min : 0, MaxSize: 30 })
    if (!cluster.aws.world.groups.get(group)?.hooks.has(HOOK))
      cluster.putHook(60, HOOK, 'TERMINATING', group)
  }
}

/** Some of it can only be put back when something else is over. */
function giveBackMore(scene: Scene): void {
  const { cluster, protectedByOthers, takenOut } = scene
  for (const id of takenOut) {
    const node = cluster.nomad.nodes.get(id)
    if (node?.Status !== 'ready') continue
    cluster.nomad.giveBack(node)
    takenOut.delete(id)
  }
  const members = cluster.policies.flatMap((policy) => [
    ...cluster.groupOf(policy).members.values(),
  ])
  for (const { machine, state, group } of members) {
    const batch = { AutoScalingGroupName: group.name, InstanceIds: [machine.id] }
    if (state.value === 'Standby') scene.call('ExitStandby', batch)
    if (state.value === 'Terminating:Retained') {
      const input = { InstanceId: machine.id, ShouldDecrementDesiredCapacity: false }
      scene.call('TerminateInstanceInAutoScalingGroup', input)
    }
    if (state.value === 'InService' && protectedByOthers.delete(machine.id)) {
      scene.call('SetInstanceProtection', { ...batch, ProtectedFromScaleIn: false })
    }
  }
  for (const { id, group, state } of cluster.aws.world.machines.values()) {
    const isDetached = group === null && state.value === 'running'
    if (isDetached) scene.call('TerminateInstances', { InstanceIds: [id] }, 'ec2')
  }
}

async function settles(scene: Scene, what: string, isSo: () => boolean): Promise<void> {
  const { cluster } = scene
  const { queue } = cluster
  let left = queue.slices.size
  let end = cluster.clock.monotonic() + CALM_MS
  while (!isSo()) {
    giveBackMore(scene)
    // A pool of one machine that may not grow takes as long as its slices do.
    if (queue.slices.size < left) end = cluster.clock.monotonic() + CALM_MS
    left = Math.min(left, queue.slices.size)
    if (cluster.clock.monotonic() >= end) {
      cluster.watch.violate(`it never came that ${what}: ${describe(scene)}`)
      return
    }
    await cluster.pass(STEP_MS)
  }
}

function isAtMinimum({ cluster }: Scene, policy: PoolPolicy): boolean {
  const group = cluster.groupOf(policy)
  const members = [...group.members.values()]
  if (group.desired !== policy.min) return false
  // Where age alone is a reason to go, some machine is always on its way in or out.
  if (policy.maxAgeMs !== null) return members.length >= policy.min
  return (
    members.length === policy.min &&
    // A machine whose software never came up has yet to be found out and replaced.
    members.every(
      ({ state, machine }) =>
        state.value === 'InService' && cluster.nomad.nodeOf(machine.id)?.Status === 'ready',
    )
  )
}

function describe({ cluster }: Scene): string {
  const pools = cluster.policies.map((policy) => {
    const { desired, members } = cluster.groupOf(policy)
    const states = [...members.values()].map(({ machine, state }) => `${machine.id} ${state.value}`)
    return `${policy.name}: desired ${desired} of ${policy.min}..${policy.max}, ${states.join(', ')}`
  })
  const nodes = [...cluster.nomad.nodes.values()]
    .filter(({ Status }) => Status !== 'down')
    .map(({ Name, Status, SchedulingEligibility }) => `${Name} ${Status} ${SchedulingEligibility}`)
  const [last] = cluster.store.readTicks({ limit: 1 })
  const slices = `${cluster.queue.slices.size} slices`
  return [slices, ...pools, ...nodes, JSON.stringify(last?.why)].join('; ')
}

function inspect({ cluster }: Scene): void {
  const { aws, watch, store } = cluster
  for (const { id, group, state } of aws.world.machines.values()) {
    const lives = state.value === 'running' || state.value === 'pending'
    const isMember = group !== null && aws.world.groups.get(group)?.members.has(id)
    if (lives && group !== null && !isMember) watch.violate(`${id} is leaked`)
  }
  for (const policy of cluster.policies) {
    for (const member of cluster.groupOf(policy).members.values()) {
      const { machine, state, isProtected, inServiceAt } = member
      // Of one that goes it says nothing any more.
      if (state.value !== 'InService') continue
      // Its group may protect a new one until its node has come, or is given up.
      const mayMs = cluster.nomad.nodeOf(machine.id) === undefined ? 25 * MINUTE : 5 * MINUTE
      const servedMs = aws.world.now - (inServiceAt ?? aws.world.now)
      if (isProtected && servedMs > mayMs)
        watch.violate(`${machine.id} is still protected, and nothing runs on it`)
    }
  }
  const open = store.openIntents()
  if (open.length > 0) watch.violate(`${open.length} intents are left open`)
}
