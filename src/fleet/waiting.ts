/**
 * Machines whose termination waits for us, whoever began it: their nodes are drained without a deadline, and
 * the hook is completed when nothing runs on them any more. Pure.
 *
 * "Drain complete" is no proof: Nomad says so as soon as it has asked the last allocation to end. The
 * allocations are, read after the drain began.
 */
import type { AwsHook } from '../platform/index.ts'
import { formatDuration } from '../model/index.ts'
import { act, type Draft } from './draft.ts'
import type { Unit } from './ledger.ts'
import { SETTLE_MS } from './scale-in.ts'

/** A node that has not come by then will not: nothing is lost with the machine. */
const UNKNOWN_NODE_MS = 30_000
/** A node that is down, or gone from Nomad, so long does not come back with its slices: they are lost already. */
const DOWN_NODE_MS = 2 * 60_000
/** The scheduler may still take in what the agent sent last; longer than this it has no reason to. */
const REPORT_MS = 60_000

/** Then another hook holds it, or the completion came to nothing: it is tried again. */
const COMPLETION_SHOWS_MS = 60_000

/** What is left of the cap when a person is told; and never less than the shortest timeout there is. */
const MARGIN_SHARE = 0.05
const MARGIN_LEAST_MS = 60_000

export function handleWaiting(draft: Draft): void {
  const waiting = draft.units.filter(({ state }) => state === 'waiting')
  if (waiting.length === 0) return
  const hook = ownHook(draft.view.hooks ?? [])
  if (typeof hook === 'string') {
    draft.notes.push(hook)
    draft.alarms.push({ key: 'hook', text: hook, about: draft.policy.group })
    return
  }
  for (const unit of waiting) handle(draft, unit, hook)
}

/** @returns why there is none. */
export function ownHook(hooks: readonly AwsHook[]): AwsHook | string {
  const terminating = hooks.filter(({ transition }) => transition === 'terminating')
  const named = terminating.filter(({ name }) => /caravan/i.test(name))
  const [only, ...others] = named.length > 0 ? named : terminating
  if (only === undefined) return 'machines wait for a hook that is not there any more'
  if (others.length === 0) return only
  return 'the group has several hooks for terminating instances: one must have "caravan" in its name'
}

function handle(draft: Draft, unit: Unit, hook: AwsHook): void {
  const { policy, nowMs, view } = draft
  const { memory, id: instanceId } = unit
  if (memory.completedMs !== null && nowMs - memory.completedMs < COMPLETION_SHOWS_MS) return
  const { node } = unit.view
  const capAtMs = (memory.waitingSinceMs ?? nowMs) + hook.capMs
  const group = policy.group
  draft.hooks.push({ group, hook: hook.name, instanceId, timeoutMs: hook.timeoutMs, capAtMs })
  if (node !== null && view.isNomadKnown && needsDrain(unit, nowMs)) {
    memory.drainedMs = nowMs
    const reason = memory.committedMs === null ? 'terminated by somebody else' : 'scale-in'
    act(draft, { kind: 'drain', pool: policy.name, instanceId, nodeId: node.id, reason }, reason)
  }
  const proof = proofOfEmptiness(draft, unit)
  if (proof.isEmpty) {
    const nodeId = node?.status === 'ready' ? node.id : null
    const intent = { kind: 'complete', pool: policy.name, group, hook: hook.name } as const
    act(draft, { ...intent, instanceId, nodeId, reason: proof.why }, proof.why)
    return
  }
  const text = `${instanceId} waits: ${proof.why}`
  draft.notes.push(text)
  if (proof.isUnclear) draft.alarms.push({ key: `unclear ${instanceId}`, text, about: instanceId })
  watchCap(draft, unit, hook, capAtMs)
}

/** Our drain shows with the next reading; what is not marked as ours after that is somebody else's. */
const DRAIN_SHOWS_MS = 15_000

/**
 * Made eligible again by somebody, it would be given new slices and lose them. Drained anew by somebody, it
 * may have a deadline, and lose those that it has: ours has none.
 */
function needsDrain({ memory: { drainedMs }, view: { node } }: Unit, nowMs: number): boolean {
  if (node === null || node.status === 'down') return false
  if (drainedMs === null || node.isEligible) return true
  return node.mark === null && nowMs - drainedMs > DRAIN_SHOWS_MS
}

interface Proof {
  isEmpty: boolean
  why: string
  /** Only a person can tell. */
  isUnclear?: boolean
}

const empty = (why: string): Proof => ({ isEmpty: true, why })
const waits = (why: string): Proof => ({ isEmpty: false, why })

function proofOfEmptiness({ view, nowMs }: Draft, { memory, view: unit }: Unit): Proof {
  const { node, live, placed } = unit
  const waitedMs = nowMs - (memory.waitingSinceMs ?? nowMs)
  const silentMs = nowMs - (memory.unfitSinceMs ?? memory.waitingSinceMs ?? nowMs)
  if (!view.isNomadKnown) return waits('Nomad does not answer')
  if (node === null) {
    if (view.unmatched > 0) {
      const why = `${view.unmatched} nodes belong to no known machine, and one may be its own`
      return { ...waits(why), isUnclear: waitedMs >= UNKNOWN_NODE_MS }
    }
    if (memory.readyMs === null) {
      return waitedMs < UNKNOWN_NODE_MS
        ? waits('its node may still come')
        : empty('its node never came')
    }
    // A list that lacks it once proves nothing.
    return silentMs < DOWN_NODE_MS
      ? waits('its node is not in the list any more')
      : empty('its node is gone from Nomad')
  }
  if (live.length > 0) return waits(`${live.length} allocations run`)
  if (node.status === 'down') {
    return silentMs < DOWN_NODE_MS
      ? waits('its node is down, and may come back')
      : empty('its node is down, and its slices are lost')
  }
  if (node.isEligible) return waits('its node is eligible')
  if (memory.drainedMs === null || view.startedMs < memory.drainedMs + SETTLE_MS) {
    return waits('its drain has just begun')
  }
  const emptyMs = nowMs - (memory.emptySinceMs ?? nowMs)
  if (placed.length > 0 && emptyMs < REPORT_MS) {
    return waits('the scheduler still takes in what its agents sent')
  }
  return empty('nothing runs on its node')
}

function watchCap(draft: Draft, unit: Unit, hook: AwsHook, capAtMs: number): void {
  const leftMs = capAtMs - draft.nowMs
  const marginMs = Math.max(MARGIN_LEAST_MS, hook.capMs * MARGIN_SHARE, hook.timeoutMs)
  if (leftMs > Math.min(marginMs, hook.capMs / 2)) return
  const jobs = unit.view.live.map(({ job }) => job)
  const text =
    `Auto Scaling ends ${unit.id} in ${formatDuration(Math.max(0, Math.round(leftMs)))}, whatever runs` +
    ` (hook ${hook.name} holds for ${formatDuration(hook.capMs)} at most)` +
    (jobs.length > 0 ? `: ${jobs.join(', ')}` : '')
  draft.alarms.push({ key: `cap ${unit.id}`, text, about: unit.id })
  if (unit.memory.isReported) return
  unit.memory.isReported = true
  draft.actions.push({ kind: 'report', about: unit.id, reason: text })
}
