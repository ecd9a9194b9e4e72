/**
 * What is left over: machines that their group has lost, and nodes whose machine is gone. Pure.
 *
 * Absence is proven twice, some time apart, and an answer that failed or was empty proves nothing.
 */
import { isDrainedFirst } from './drain-first.ts'
import { act, type Draft } from './draft.ts'
import type { DeadNodeView, StrayView } from '../view.ts'

/** Between the two proofs that a machine is in no group: a launch or a move takes less. */
const STRAY_APART_MS = 10 * 60_000
/** Younger ones may not be in the list of their group yet. */
const STRAY_AGE_MS = 15 * 60_000
/** Between the two proofs that a machine is gone. */
const DEAD_APART_MS = 30_000

/** In one go; the next one goes on. */
const STRAYS_AT_ONCE = 2
const DEAD_AT_ONCE = 10
/** When more than this share of a group seems lost, it is our view that is wrong. */
const STRAY_SHARE = 0.2

export function collectGarbage(draft: Draft): void {
  const { view, memory } = draft
  const proven = new Map<string, number>()
  const strays = endStrays(draft, proven)
  if (view.isNomadKnown) purgeDead(draft, proven)
  // What is not seen absent any more has to be proven from the start.
  memory.gone = Object.fromEntries(proven)
  if (strays > 0) draft.notes.push(`${strays} machines run outside of the group`)
}

/** @returns how many there are. */
function endStrays(draft: Draft, proven: Map<string, number>): number {
  const { view, memory, nowMs, policy } = draft
  const { group } = view
  if (group === null || !view.isNomadKnown) return 0
  const old = view.strays.filter(({ instance }) => nowMs - instance.launchedMs > STRAY_AGE_MS)
  if (old.length > Math.max(1, group.instances.length * STRAY_SHARE)) {
    const text = `${old.length} machines seem to have left the group: none is ended`
    draft.alarms.push({ key: 'many strays', text, about: policy.group })
    return old.length
  }
  const { pins } = view
  let ended = 0
  for (const stray of old) {
    const id = stray.instance.instanceId
    const firstMs = memory.gone[id] ?? nowMs
    proven.set(id, firstMs)
    const isPinned = Math.max(pins.get(id) ?? 0, pins.get(stray.node?.id ?? '') ?? 0) > nowMs
    if (isPinned || nowMs - firstMs < STRAY_APART_MS || ended >= STRAYS_AT_ONCE) continue
    ended += endStray(draft, stray)
  }
  return old.length
}

/** Its node is drained first. @returns 1 when it is ended now. */
function endStray(draft: Draft, { instance: { instanceId }, node, live }: StrayView): number {
  const pool = draft.policy.name
  if (!isDrainedFirst(draft, { instanceId, node }, 'its group does not have it any more')) return 0
  if (live.length > 0) return 0
  const reason = 'its group does not have it, and nothing runs on it'
  act(draft, { kind: 'end_stray', pool, instanceId, nodeId: node?.id ?? null }, reason)
  return 1
}

function purgeDead(draft: Draft, proven: Map<string, number>): void {
  const { view, memory, nowMs, policy } = draft
  let purged = 0
  for (const node of view.deadNodes) {
    if (!isGone(node)) continue
    const firstMs = memory.gone[node.id] ?? nowMs
    proven.set(node.id, firstMs)
    if (nowMs - firstMs < DEAD_APART_MS || purged >= DEAD_AT_ONCE) continue
    purged += 1
    const { id: nodeId, instanceId } = node
    const reason = `its machine is ${node.instance}`
    act(draft, { kind: 'purge', pool: policy.name, nodeId, instanceId }, reason)
  }
}

function isGone({ instance }: DeadNodeView): boolean {
  return instance === 'terminated' || instance === 'absent' || instance === 'replaced'
}
