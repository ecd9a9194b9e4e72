/** Does what was planned, one thing at a time for each machine, and tells what came of it. */
import { toDrainMeta } from './drain-mark.ts'
import type { Intent } from './intents.ts'
import type { Outcome } from './learn.ts'
import type { AwsGroup, AwsMember, Log } from '../platform/index.ts'
import { isCaravanError } from '../model/index.ts'
import { renewDrain } from './lifecycle/drain.ts'
import { isLive } from './observe/nomad-side.ts'
import type { FleetGroups, FleetNomad } from './ports.ts'
import { doubtOf, drainFactsOf } from './proof.ts'

export type ActorNomad = Pick<
  FleetNomad,
  'readNode' | 'nodeAllocations' | 'drainNode' | 'purgeNode'
>

export interface ActorDeps {
  /** Of a pool. */
  awsOf: (pool: string) => FleetGroups
  nomad: ActorNomad
  /** The steady time. */
  now: () => number
  log: Log
}

const done = (text: string): Outcome => ({ kind: 'done', text })
const refused = (text: string): Outcome => ({ kind: 'refused', text })

/** Never throws but for the signal: a call that failed is an outcome. */
export async function carryOut(
  intent: Intent,
  deps: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    return await dispatch(intent, deps, signal)
  } catch (cause) {
    if (signal.aborted) throw cause
    deps.log.warn('a step of the fleet failed', { intent, cause })
    const text = cause instanceof Error ? cause.message : String(cause)
    const isUnknown =
      isCaravanError(cause, 'AWS_UNKNOWN_OUTCOME') || isCaravanError(cause, 'NOMAD_UNKNOWN_OUTCOME')
    return { kind: isUnknown ? 'unknown' : 'refused', text }
  }
}

function dispatch(intent: Intent, deps: ActorDeps, signal: AbortSignal): Promise<Outcome> {
  switch (intent.kind) {
    case 'set_desired':
      return setDesired(intent, deps, signal)
    case 'cordon':
    case 'drain':
      return drain(intent, deps, signal)
    case 'uncordon':
      return uncordon(intent, deps, signal)
    case 'protect':
    case 'unprotect':
      return protect(intent, deps, signal)
    case 'terminate':
      return terminate(intent, deps, signal)
    case 'complete':
      return complete(intent, deps, signal)
    case 'abandon':
      return abandon(intent, deps, signal)
    case 'end_retained':
      return endRetained(intent, deps, signal)
    case 'purge':
      return purge(intent, deps, signal)
    case 'end_stray':
      return endStray(intent, deps, signal)
  }
}

type Of<Kind extends Intent['kind']> = Extract<Intent, { kind: Kind }>

async function setDesired(
  { pool, group, desired }: Of<'set_desired'>,
  { awsOf }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const aws = awsOf(pool)
  const [seen] = await aws.readGroups([group], { signal })
  // Somebody else asked for more meanwhile: ours would take it back.
  if (seen !== undefined && seen.desired >= desired) return refused(`it is ${seen.desired} already`)
  const outcome = await aws.setDesired(group, desired, { signal })
  return outcome.kind === 'set' ? done(`desired is ${desired}`) : refused(outcome.text)
}

/** Without a deadline: Nomad would end what still runs then. */
async function drain(
  intent: Of<'cordon'> | Of<'drain'>,
  { nomad, now }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const { nodeId, reason } = intent
  if (intent.kind === 'drain' && intent.isRenewal === true) {
    await renewDrain(nomad, nodeId, signal)
    return done('looked at again')
  }
  const meta = toDrainMeta({ by: 'controller', reason, sinceMs: now() })
  await nomad.drainNode(nodeId, { deadlineMs: null, ignoreSystemJobs: true }, { meta, signal })
  return done('ineligible')
}

async function uncordon(
  { nodeId }: Of<'uncordon'>,
  { nomad }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const node = await nomad.readNode(nodeId, { signal })
  if (node === null) return refused('there is no such node')
  await nomad.drainNode(nodeId, null, { markEligible: true, signal })
  return done('eligible')
}

async function protect(
  { kind, pool, group, instanceIds }: Of<'protect' | 'unprotect'>,
  { awsOf }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const except = await awsOf(pool).setProtection(group, instanceIds, kind === 'protect', { signal })
  return { kind: 'done', text: except.length > 0 ? `not ${except.join(', ')}` : '', except }
}

/** Everything that must hold is read once more: between the plan and now somebody may have acted. */
async function terminate(
  { pool, group: name, instanceId, nodeId, decrement, sizeAfter }: Of<'terminate'>,
  { awsOf, nomad }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const aws = awsOf(pool)
  const { group, member } = await readMember(aws, name, instanceId, signal)
  if (group === undefined || member === undefined) return refused('the group does not list it')
  if (member.lifecycle.startsWith('Terminat')) return done('it is terminating already')
  if (group.suspended.includes('Terminate')) return refused('terminating is suspended')
  if (decrement && group.desired <= group.min) {
    return refused(`the group is at its minimum of ${group.min}`)
  }
  // The pool's own minimum AWS does not know.
  if (decrement && group.desired <= sizeAfter) {
    return refused(`the size is ${group.desired} already: somebody else has changed it`)
  }
  if (await aws.isRefreshing(name, { signal })) return refused('the group is being refreshed')
  const busy = await whyNotEmpty(nomad, nodeId, signal)
  if (busy !== null) return refused(busy)
  return endInGroup(aws, instanceId, decrement, signal)
}

async function complete(
  { pool, group, hook, instanceId, nodeId }: Of<'complete'>,
  { awsOf, nomad }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const busy = await whyNotEmpty(nomad, nodeId, signal)
  if (busy !== null) return refused(busy)
  const outcome = await awsOf(pool).completeAction({ group, hook, instanceId }, 'CONTINUE', {
    signal,
  })
  // It has lapsed, or somebody else has completed it: the machine goes in any case.
  return done(outcome === 'done' ? 'completed' : 'there was nothing to complete any more')
}

/** What the other result would do is read once more: without retention it ends the machine and its slices. */
async function abandon(
  { pool, group: name, hook, instanceId, to }: Of<'abandon'>,
  { awsOf }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const aws = awsOf(pool)
  const { group, member } = await readMember(aws, name, instanceId, signal)
  const lifecycle = to === 'retain' ? 'Terminating:Wait' : 'Pending:Wait'
  if (member?.lifecycle !== lifecycle) return refused(`it is ${member?.lifecycle ?? 'gone'}`)
  if (to === 'retain' && !group?.retains) return refused('the group does not retain it any more')
  const outcome = await aws.completeAction({ group: name, hook, instanceId }, 'ABANDON', { signal })
  return done(outcome === 'done' ? 'abandoned' : 'there was nothing to abandon any more')
}

async function endRetained(
  { pool, group: name, instanceId, nodeId }: Of<'end_retained'>,
  { awsOf, nomad }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const aws = awsOf(pool)
  const { member } = await readMember(aws, name, instanceId, signal)
  if (member === undefined) return done('it was gone')
  if (member.lifecycle !== 'Terminating:Retained') return refused(`it is ${member.lifecycle}`)
  const busy = await whyNotEmpty(nomad, nodeId, signal)
  if (busy !== null) return refused(busy)
  // Outside of the group's size already: there is nothing to take one off.
  return endInGroup(aws, instanceId, false, signal)
}

async function readMember(
  aws: FleetGroups,
  name: string,
  instanceId: string,
  signal: AbortSignal,
): Promise<{ group: AwsGroup | undefined; member: AwsMember | undefined }> {
  const [group] = await aws.readGroups([name], { signal })
  return { group, member: group?.instances.find((each) => each.instanceId === instanceId) }
}

async function endInGroup(
  aws: FleetGroups,
  instanceId: string,
  decrement: boolean,
  signal: AbortSignal,
): Promise<Outcome> {
  const outcome = await aws.terminateInGroup(instanceId, decrement, { signal })
  if (outcome.kind === 'terminating') return done('terminating')
  return outcome.kind === 'gone' ? done('it was gone') : refused(outcome.text)
}

/** The last proof before what can not be taken back. @returns null when it holds, or there is no node. */
async function whyNotEmpty(
  nomad: ActorNomad,
  nodeId: string | null,
  signal: AbortSignal,
): Promise<string | null> {
  const node = nodeId === null ? null : await nomad.readNode(nodeId, { signal })
  if (node === null) return null
  const allocations = await nomad.nodeAllocations(node.ID, { namespace: '*', signal })
  const live = allocations.filter(isLive).length
  // Of one that is down nothing can be proven: the plan has waited for it, and only a sign of life counts.
  if (node.Status === 'down') return live > 0 ? `${live} allocations run on its node` : null
  return doubtOf(drainFactsOf(node), live)?.text ?? null
}

async function purge(
  { nodeId }: Of<'purge'>,
  { nomad }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const node = await nomad.readNode(nodeId, { signal })
  if (node === null) return done('it was gone')
  if (node.Status !== 'down') return refused(`the node is ${node.Status}`)
  await nomad.purgeNode(nodeId, { signal })
  return done('purged')
}

async function endStray(
  { pool, instanceId, nodeId }: Of<'end_stray'>,
  { awsOf, nomad }: ActorDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const aws = awsOf(pool)
  const [instance] = await aws.readInstances([instanceId], { signal })
  const name = instance?.group ?? null
  if (instance === undefined || name === null) return refused('it bears no name of a group')
  const [group] = await aws.readGroups([name], { signal })
  if (group?.instances.some((each) => each.instanceId === instanceId) ?? true) {
    return refused('it is, or may be, in its group')
  }
  const [member] = await aws.readMembers([instanceId], { signal })
  if (member !== undefined) return refused(`a group has it as ${member.lifecycle}`)
  const busy = await whyNotEmpty(nomad, nodeId, signal)
  if (busy !== null) return refused(busy)
  return done((await aws.terminateInstance(instanceId, { signal })) ? 'ended' : 'it was gone')
}
