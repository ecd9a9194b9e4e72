/** How the fleet stands, for people: from one look and what is remembered. Pure. */
import type { FleetStatus } from '../model/index.ts'
import type { Plan } from './plan/plan.ts'
import type { Lease } from './ports.ts'

export interface StatusSources {
  plans: ReadonlyMap<string, Plan>
  lease: Lease | null
  faults: readonly string[]
  nowMs: number
}

export function toFleetStatus({ plans, lease, faults, nowMs }: StatusSources): FleetStatus {
  const all = [...plans.values()]
  return {
    at: new Date(nowMs).toISOString(),
    controller:
      lease === null
        ? null
        : { holder: lease.holder, fence: lease.fence, alive: lease.untilMs > nowMs },
    pools: all.map(({ why }) => why),
    nodes: all.flatMap((plan) => nodesOf(plan, nowMs)),
    alarms: all.flatMap(({ alarms }) => alarms.map(({ text }) => text)),
    faults: [...faults],
  }
}

function nodesOf({ units, hooks, why: { pool } }: Plan, nowMs: number): FleetStatus['nodes'] {
  return units.map(({ id, state, view, memory, pinned }) => {
    const sinceMs = memory.waitingSinceMs ?? memory.cordon?.askedMs ?? view.node?.mark?.sinceMs
    const hook = hooks.find(({ instanceId }) => instanceId === id)
    return {
      instance: id,
      pool,
      state,
      state_seconds: toSeconds(nowMs - memory.stateSinceMs),
      age_seconds: view.launchedMs === null ? null : toSeconds(nowMs - view.launchedMs),
      zone: view.member.zone,
      node_id: view.node?.id ?? null,
      slices: view.live.length,
      protected: view.member.isProtected,
      pinned,
      draining_seconds: sinceMs === undefined ? null : toSeconds(nowMs - sinceMs),
      cap_seconds: hook === undefined ? null : toSeconds(hook.capAtMs - nowMs),
    }
  })
}

const toSeconds = (ms: number) => Math.round(ms / 1000)
