/**
 * What to do with a pool, from how it was seen, what is wanted of it, and what is remembered. Pure: the same
 * input has the same plan, on a virtual clock and in a replay too.
 *
 * Two steps: what there is, and what to do about it. In between, pools share what several of them could take.
 */
import { watchAside } from './aside.ts'
import { noteDepartures, type Departure } from './departures.ts'
import type { Alarm, Draft, OpenHook } from './draft.ts'
import { collectGarbage } from './garbage.ts'
import type { Intent } from '../intents.ts'
import { ALARM_AT, readLaunches, whyNotReplaced } from './launch-failures.ts'
import { takeStock } from './ledger.ts'
import { keepUnits } from './remember.ts'
import { groupByState, UNIT_STATES, type Unit } from './unit.ts'
import { handleLaunching } from './launching.ts'
import { copyMemory, type PoolMemory } from '../memory.ts'
import type { PoolPolicy } from '../policy.ts'
import type { PoolWhy } from '../ports.ts'
import { syncProtection } from './protection.ts'
import { endRetained } from './retained.ts'
import { scaleIn } from './scale-in.ts'
import { placeDemand, scaleOut } from './scale-out.ts'
import { findSizes, noteDesired } from './sizes.ts'
import { requestedOf } from './supply.ts'
import type { PoolView } from '../view.ts'
import { handleWaiting } from './waiting.ts'
import { counted } from './words.ts'

export interface Plan {
  /** In the order in which they are to be done. */
  intents: Intent[]
  /** To be beaten for until the next plan. */
  hooks: OpenHook[]
  alarms: Alarm[]
  memory: PoolMemory
  /** What each machine counted as. */
  units: Unit[]
  /** Waits that ended since the last plan. */
  departures: Departure[]
  why: PoolWhy
}

/** The time is that of the steady clock, in milliseconds since 1970. Changes nothing that it is given. */
export function plan(
  view: PoolView,
  policy: PoolPolicy,
  remembered: PoolMemory,
  nowMs: number,
): Plan {
  return decide(survey(view, policy, remembered, nowMs))
}

/** What there is, before anything is decided. */
export function survey(
  view: PoolView,
  policy: PoolPolicy,
  remembered: PoolMemory,
  nowMs: number,
): Draft {
  const memory = copyMemory(remembered)
  const { group } = view
  const lists = { intents: [], hooks: [], alarms: [], actions: [] }
  if (group === null) {
    // A list that can not be had, or is empty of the group itself, is no proof that anything is gone.
    const sizes = { min: policy.min, max: policy.max, sure: 0, asked: 0 }
    const byState = groupByState([])
    return { view, policy, memory, nowMs, units: [], byState, sizes, notes: [], ...lists }
  }
  memory.hooks = view.hooks ?? memory.hooks
  const foreign = noteDesired(group, memory, nowMs)
  const units = takeStock(view, policy, memory, nowMs)
  const sizes = findSizes(group, units, policy, memory, nowMs)
  const failures = readLaunches(memory, view.activities, nowMs)
  const notes = [...(foreign === null ? [] : [foreign]), ...failures]
  const byState = groupByState(units)
  return { view, policy, memory, nowMs, units, byState, sizes, notes, ...lists }
}

/** @param draft is used up. */
export function decide(draft: Draft): Plan {
  const { view, sizes, notes, policy } = draft
  const { group } = view
  let target = sizes.asked
  if (group === null) {
    const text = `there is no Auto Scaling group ${policy.group} in ${policy.region}`
    notes.push(text)
    draft.alarms.push({ key: 'no group', text, about: policy.name })
  } else {
    handleWaiting(draft)
    endRetained(draft)
    handleLaunching(draft)
    if (group.status !== null) {
      notes.push(`the group has the status ${group.status}: nothing is decided but on hooks`)
    } else if (view.isNomadKnown) {
      const placement = placeDemand(draft)
      target = scaleOut(draft, placement)
      scaleIn(draft, placement)
      collectGarbage(draft)
      syncProtection(draft)
    } else notes.push('Nomad does not answer: nothing is decided but on hooks')
    watchAside(draft)
    raiseFailures(draft)
    raiseMissingHook(draft)
  }
  const { intents, hooks, memory, units } = draft
  const alarms = [...new Map(draft.alarms.map((alarm) => [alarm.key, alarm])).values()]
  const departures = noteDepartures(draft)
  if (group !== null) memory.units = keepUnits(memory.units, units, draft.nowMs)
  return { intents, hooks, alarms, memory, units, departures, why: toWhy(draft, target) }
}

function raiseFailures(draft: Draft): void {
  const { memory, alarms, policy, notes } = draft
  const requested = requestedOf(draft)
  const failing = whyNotReplaced(memory, requested, draft.nowMs)
  if (requested > 0 && failing !== null) {
    notes.push(`${counted(requested, 'machine')} were asked for and do not come: ${failing}`)
  }
  for (const [kind, { failures }] of Object.entries(memory.backoff)) {
    if (failures < ALARM_AT) continue
    const text = `launches have failed ${failures} times in a row (${kind})`
    alarms.push({ key: `launch ${kind}`, text, about: policy.name })
  }
}

/** Nothing holds a machine of such a group, whoever ends it. */
function raiseMissingHook({ view: { hooks }, alarms, policy }: Draft): void {
  if (hooks === null || hooks.some(({ transition }) => transition === 'terminating')) return
  const text = `the group ${policy.group} has no hook for terminating instances: builds end with their machine`
  alarms.push({ key: 'no hook', text, about: policy.group })
}

function toWhy(draft: Draft, target: number): PoolWhy {
  const { view, policy, byState, sizes, notes, actions } = draft
  const ledger: Record<string, number> = {}
  const requested = requestedOf(draft)
  if (requested > 0) ledger['requested'] = requested
  for (const state of UNIT_STATES) {
    const count = byState[state].length
    if (count > 0) ledger[state] = count
  }
  const { desired = 0 } = view.group ?? {}
  const { min, max } = sizes
  const { name: pool } = policy
  return { pool, desired, target, min, max, demand: toDemand(view), ledger, notes, actions }
}

function toDemand({ demand }: PoolView): Record<string, number> {
  const classes = demand?.classes.filter(({ waiting }) => waiting > 0) ?? []
  return Object.fromEntries(classes.map(({ name, waiting }) => [name, waiting]))
}
