/**
 * What to do with a pool, from how it was seen, what is wanted of it, and what is remembered. Pure: the same
 * input has the same plan, on a virtual clock and in a replay too.
 */
import { noteDepartures, type Departure } from './departures.ts'
import type { Alarm, Draft, OpenHook } from './draft.ts'
import { collectGarbage } from './garbage.ts'
import type { Intent } from './intents.ts'
import { ALARM_AT, readLaunches } from './launch-failures.ts'
import { handleLaunching } from './launching.ts'
import { takeStock, UNIT_STATES, type Unit } from './ledger.ts'
import { copyMemory, type PoolMemory } from './memory.ts'
import type { PoolPolicy } from './policy.ts'
import type { PoolWhy } from './ports.ts'
import { syncProtection } from './protection.ts'
import { endRetained } from './retained.ts'
import { scaleIn } from './scale-in.ts'
import { membersOf, placeDemand, scaleOut } from './scale-out.ts'
import { findSizes, noteDesired } from './sizes.ts'
import type { PoolView } from './view.ts'
import { handleWaiting } from './waiting.ts'

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
  const memory = copyMemory(remembered)
  const { group } = view
  // A list that can not be had, or is empty of the group itself, is no proof that anything is gone.
  if (group === null) return frozen(view, policy, memory)
  const foreign = noteDesired(group, memory, nowMs)
  const units = takeStock(view, policy, memory, nowMs)
  const sizes = findSizes(group, units, policy, memory, nowMs)
  const notes = foreign === null ? [] : [foreign]
  const draft: Draft = {
    view,
    policy,
    memory,
    units,
    nowMs,
    sizes,
    notes,
    intents: [],
    hooks: [],
    alarms: [],
    actions: [],
  }
  notes.push(...readLaunches(memory, view.activities, nowMs))
  handleWaiting(draft)
  endRetained(draft)
  handleLaunching(draft)
  let target = sizes.asked
  if (group.status !== null) notes.push(`the group has the status ${group.status}`)
  else if (view.isNomadKnown) {
    const placement = placeDemand(draft)
    target = scaleOut(draft, placement)
    scaleIn(draft, placement)
    collectGarbage(draft)
    syncProtection(draft)
  } else notes.push('Nomad does not answer: nothing is decided but on hooks')
  raiseFailures(draft)
  const { intents, hooks, alarms } = draft
  const departures = noteDepartures(draft)
  return { intents, hooks, alarms, memory, units, departures, why: toWhy(draft, target) }
}

function frozen(view: PoolView, policy: PoolPolicy, memory: PoolMemory): Plan {
  const text = `there is no Auto Scaling group ${policy.group} in ${policy.region}`
  const why: PoolWhy = {
    pool: policy.name,
    desired: 0,
    target: 0,
    min: policy.min,
    max: policy.max,
    demand: toDemand(view),
    ledger: {},
    notes: [text],
    actions: [],
  }
  const alarms = [{ key: 'no group', text, about: policy.name }]
  return { intents: [], hooks: [], alarms, memory, units: [], departures: [], why }
}

function raiseFailures({ memory, alarms, policy }: Draft): void {
  for (const [kind, { failures }] of Object.entries(memory.backoff)) {
    if (failures < ALARM_AT) continue
    const text = `launches have failed ${failures} times in a row (${kind})`
    alarms.push({ key: `launch ${kind}`, text, about: policy.name })
  }
}

function toWhy({ view, policy, units, sizes, notes, actions }: Draft, target: number): PoolWhy {
  const ledger: Record<string, number> = {}
  const requested = Math.max(0, sizes.asked - membersOf(units))
  if (requested > 0) ledger['requested'] = requested
  for (const state of UNIT_STATES) {
    const count = units.filter((unit) => unit.state === state).length
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
