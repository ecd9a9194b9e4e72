/**
 * Machines whose termination waits for us, whoever began it: their nodes are drained without a deadline, and
 * the hook is completed when nothing runs on them any more. Pure.
 */
import type { AwsHook } from '../../platform/index.ts'
import { watchCap } from './cap.ts'
import { act, toOpenHook, type Draft } from './draft.ts'
import { launchDeadline } from './ledger.ts'
import { note, type Unit } from './unit.ts'
import { renewDrainOf } from './drain-first.ts'
import { chooseHook } from '../lifecycle/hooks.ts'
import { doubtOf, lacksDrain, SETTLE_MS } from '../proof.ts'

/** A machine that nobody has seen before has had at least so long for its node to come. */
const UNKNOWN_NODE_MS = 30_000
/** A node that is down, or gone from Nomad, so long does not come back with its slices: they are lost already. */
const DOWN_NODE_MS = 2 * 60_000
/** The scheduler may still take in what the agent sent last; longer than this it has no reason to. */
const REPORT_MS = 60_000

/** Then another hook holds it, or the completion came to nothing: it is tried again, and not beaten for. */
export const COMPLETION_SHOWS_MS = 60_000

export function handleWaiting(draft: Draft): void {
  forgetCompletions(draft)
  const { waiting } = draft.byState
  if (waiting.length === 0) return
  const { hooks } = draft.memory
  if (hooks === null) {
    const text = 'machines wait for a hook, and the hooks of the group can not be read'
    draft.notes.push(text)
    draft.alarms.push({ key: 'hook', text, about: draft.policy.group })
    return
  }
  const choice = chooseHook(hooks, undefined)
  if (choice.kind !== 'one') {
    const text = choice.kind === 'none' ? NO_HOOK : SEVERAL_HOOKS
    draft.notes.push(text)
    draft.alarms.push({ key: 'hook', text, about: draft.policy.group })
    return
  }
  for (const unit of waiting) handle(draft, unit, choice.hook)
}

/** A machine that came back from standby waits in its launching hook once more. */
function forgetCompletions({ units, nowMs }: Draft): void {
  for (const unit of units) {
    const { completedMs } = unit.memory
    if (completedMs === null) continue
    const isOver = nowMs - completedMs >= COMPLETION_SHOWS_MS
    if (isOver && !unit.view.member.lifecycle.endsWith(':Wait')) note(unit, { completedMs: null })
  }
}

const NO_HOOK = 'machines wait for a hook that is not there any more'
const SEVERAL_HOOKS =
  'the group has several hooks for terminating instances: the name of one must begin with "caravan"'

function handle(draft: Draft, unit: Unit, hook: AwsHook): void {
  const { policy, nowMs, view } = draft
  const { memory, id: instanceId } = unit
  const sinceMs = memory.waitingSinceMs ?? nowMs
  // A completion before this wait, of the launch, says nothing of it; nor does that of another hook, which was
  // taken for ours while ours was not there.
  const completedMs = memory.completedMs ?? -Infinity
  const isCompleted = completedMs >= sinceMs && memory.completedHook === hook.name
  if (isCompleted && nowMs - completedMs < COMPLETION_SHOWS_MS) return
  const { node } = unit.view
  const { group } = policy
  const open = toOpenHook(group, hook, instanceId, sinceMs)
  drainForGood(draft, unit)
  renewDrainOf(draft, unit, 'its drain is open, and nothing is seen on it')
  const proof = proveUnitEmpty(draft, unit)
  if (!isCompleted || !proof.isEmpty) draft.hooks.push(open)
  if (proof.isEmpty) {
    const nodeId = node?.id ?? null
    const intent = { kind: 'complete', pool: policy.name, group, hook: hook.name } as const
    act(draft, { ...intent, instanceId, nodeId, reason: proof.why }, proof.why)
    return
  }
  const text = `${instanceId} waits: ${proof.why}`
  draft.notes.push(text)
  // A person can tell whose they are; until then it is held.
  if (node === null && view.unmatched > 0 && nowMs - sinceMs >= UNKNOWN_NODE_MS) {
    draft.alarms.push({ key: `unmatched ${instanceId}`, text, about: instanceId })
  }
  watchCap(draft, unit, hook, open.capAtMs)
}

/** For a machine that goes whatever anybody wants. */
export function drainForGood(draft: Draft, unit: Unit): void {
  const { policy, nowMs, view } = draft
  const { id: instanceId } = unit
  const { node } = unit.view
  if (node === null || !view.isNomadKnown || !needsDrain(unit, nowMs)) return
  note(unit, { drainedMs: nowMs })
  const reason = unit.memory.committedMs === null ? 'terminated by somebody else' : 'scale-in'
  act(draft, { kind: 'drain', pool: policy.name, instanceId, nodeId: node.id, reason }, reason)
}

/**
 * Made eligible again by somebody, it would be given new slices and lose them. One that is only ineligible, or
 * whose drain somebody took back, could never be proven empty. A deadline that somebody gave ends what runs at
 * it: ours has none, and a person who wants one says so to our own command.
 */
function needsDrain({ memory, view: { node } }: Unit, nowMs: number): boolean {
  if (node === null) return false
  // One that is down may come back in the moment in which its machine is let go.
  if (node.status === 'down') return node.isEligible
  if (memory.drainedMs === null || node.isEligible) return true
  const isLimited = node.hasDeadline === true && node.mark?.by !== 'command'
  return (isLimited || lacksDrain(node)) && nowMs - memory.drainedMs >= SETTLE_MS
}

export interface UnitProof {
  isEmpty: boolean
  why: string
}

const empty = (why: string): UnitProof => ({ isEmpty: true, why })
const waits = (why: string): UnitProof => ({ isEmpty: false, why })

/** Of a machine that goes: whether it may go now. */
export function proveUnitEmpty(draft: Draft, { memory, view: unit }: Unit): UnitProof {
  const { view, nowMs } = draft
  const { node, live, placed } = unit
  const silentMs = nowMs - (memory.unfitSinceMs ?? memory.waitingSinceMs ?? nowMs)
  if (!view.isNomadKnown) return waits('Nomad does not answer')
  if (node === null) return proveAbsent(draft, memory, silentMs)
  if (node.status === 'down') {
    if (live.length > 0) return waits(`${live.length} allocations run on its node`)
    if (node.isEligible) return waits('its node is down, and may come back eligible')
    return silentMs < DOWN_NODE_MS
      ? waits('its node is down, and may come back')
      : empty('its node is down, and its slices are lost')
  }
  const doubt = doubtOf(node, live.length)
  if (doubt !== null) return waits(doubt.text)
  if (memory.drainedMs === null || view.startedMs < memory.drainedMs + SETTLE_MS) {
    return waits('its drain has just begun')
  }
  const emptyMs = nowMs - (memory.emptySinceMs ?? nowMs)
  if (placed.length > 0 && emptyMs < REPORT_MS) {
    return waits('the scheduler still takes in what its agents sent')
  }
  return empty('nothing runs on it')
}

/**
 * One that is to go while it boots may have its node, and slices on it, in the very moment in which it is let
 * go: between the look and what comes of it nobody can take the node out. So it waits until its boot is over.
 */
function proveAbsent(draft: Draft, memory: Unit['memory'], silentMs: number): UnitProof {
  const { nowMs } = draft
  const { unmatched } = draft.view
  if (unmatched > 0) {
    return waits(`${unmatched} nodes belong to no known machine, and one may be its own`)
  }
  if (memory.readyMs === null) {
    const mayCome =
      nowMs - memory.firstSeenMs < launchDeadline(draft.memory) ||
      nowMs - (memory.waitingSinceMs ?? nowMs) < UNKNOWN_NODE_MS
    return mayCome ? waits('its node may still come') : empty('its node never came')
  }
  // A list that lacks it once proves nothing.
  return silentMs < DOWN_NODE_MS
    ? waits('its node is not in the list any more')
    : empty('its node is gone from Nomad')
}
