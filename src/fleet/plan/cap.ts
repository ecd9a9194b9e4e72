/**
 * The longest that a hook can hold a machine: told before it is over, and where the group retains machines
 * whose hook is abandoned, the machine is handed to it with its slices. Pure.
 */
import type { AwsHook } from '../../platform/index.ts'
import { formatDuration } from '../../model/index.ts'
import { act, type Draft } from './draft.ts'
import { note, type Unit } from './unit.ts'

/** What is left when a person is told; and never less than the shortest timeout there is. */
const MARGIN_SHARE = 0.05
const MARGIN_LEAST_MS = 60_000

/**
 * What is left when a machine is handed over: half an hour of two days, so that a controller that is away for
 * a while still comes in time; two minutes at least, for calls that have to be repeated.
 */
const RETAIN_SHARE = 0.01
const RETAIN_LEAST_MS = 2 * 60_000

/** @param capAtMs when Auto Scaling goes on, however many heartbeats come. */
export function watchCap(draft: Draft, unit: Unit, hook: AwsHook, capAtMs: number): void {
  const leftMs = Math.max(0, Math.round(capAtMs - draft.nowMs))
  if (draft.view.group?.retains) return handOver(draft, unit, hook, leftMs)
  const marginMs = Math.max(MARGIN_LEAST_MS, hook.capMs * MARGIN_SHARE, hook.timeoutMs)
  if (leftMs > Math.min(marginMs, hook.capMs / 2)) return warnOfLong(draft, unit, leftMs)
  const jobs = unit.view.live.map(({ job }) => job)
  const text =
    `Auto Scaling ends ${unit.id} in ${formatDuration(leftMs)}, whatever runs` +
    ` (hook ${hook.name} holds for ${formatDuration(hook.capMs)} at most)` +
    (jobs.length > 0 ? `: ${jobs.join(', ')}` : '')
  draft.alarms.push({ key: `cap ${unit.id}`, text, about: unit.id })
  if (unit.memory.isReported) return
  note(unit, { isReported: true })
  draft.actions.push({ kind: 'report', about: unit.id, reason: text })
}

/** Abandoned, the machine stays with the group, outside of its size, until somebody ends it by name. */
function handOver(draft: Draft, { id: instanceId }: Unit, hook: AwsHook, leftMs: number): void {
  const { policy, notes } = draft
  if (leftMs > Math.min(Math.max(RETAIN_LEAST_MS, hook.capMs * RETAIN_SHARE), hook.capMs / 2)) {
    return
  }
  const reason = `hook ${hook.name} holds for ${formatDuration(leftMs)} only: the group retains it`
  notes.push(`${instanceId}: ${reason}`)
  const { name: pool, group } = policy
  act(draft, { kind: 'abandon', pool, group, hook: hook.name, instanceId, to: 'retain' }, reason)
}

/** As soon as it can be known: a person may still raise the timeout of the hook. */
function warnOfLong(draft: Draft, { id, view: { placed } }: Unit, leftMs: number): void {
  const remainingMs = Math.max(0, ...placed.map((each) => each.remainingMs ?? 0))
  if (remainingMs <= leftMs) return
  const text =
    `a slice on ${id} will probably run for ${formatDuration(Math.round(remainingMs))} more, and` +
    ` Auto Scaling ends the machine in ${formatDuration(leftMs)}`
  draft.alarms.push({ key: `outlasts ${id}`, text, about: id })
}
