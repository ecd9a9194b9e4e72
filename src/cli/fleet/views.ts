/** Ticks of the controller as the commands print them. */
import { subjectOf, type Tick } from '../../fleet/index.ts'
import {
  formatDuration,
  type FleetExplanation,
  type FleetStatus,
  type FleetTick,
} from '../../model/index.ts'
import { toTable } from '../render/table.ts'
import { toSafeText } from '../render/hostile.ts'

export function toTickView(tick: Tick, nowMs: number, dryRun: boolean): FleetTick {
  const at = new Date(nowMs).toISOString()
  if (tick.kind === 'leased') {
    const holder = tick.by?.holder ?? null
    return { at, outcome: 'leased', holder, pools: [], done: [], faults: [] }
  }
  return {
    at,
    outcome: dryRun ? 'planned' : 'acted',
    holder: null,
    pools: [...tick.plans.values()].map(({ why }) => why),
    done: tick.done.map(({ intent, outcome: { kind, text } }) => {
      return { kind: intent.kind, about: subjectOf(intent), outcome: kind, text }
    }),
    faults: tick.faults,
  }
}

type Pool = FleetExplanation['pools'][number]

/** A pool in a few lines. */
export function drawPool({
  pool,
  desired,
  target,
  min,
  max,
  demand,
  ledger,
  notes,
  actions,
}: Pool): string {
  const size = desired === target ? `${desired}` : `${desired}, led to ${target}`
  const parts = [
    `${pool}: ${size} machines (${min} to ${max})${drawCounts(ledger)}`,
    ...(Object.keys(demand).length === 0 ? [] : [`  waiting${drawCounts(demand)}`]),
    ...notes.map((note) => `  ${note}`),
    ...actions.map(({ kind, about, reason }) => `  ${kind} ${about}: ${reason}`),
  ]
  return parts.map((line) => `${toSafeText(line)}\n`).join('')
}

function drawCounts(counts: Record<string, number>): string {
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`)
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`
}

export function drawStatus({ controller, pools, nodes, alarms, faults }: FleetStatus): string {
  const who =
    controller === null
      ? 'no controller has ever run here'
      : `controller ${controller.holder}${controller.alive ? '' : ' (its lease is over)'}`
  const rows = nodes.map((node) => [
    node.pool,
    node.instance,
    node.node_id?.slice(0, 8) ?? '-',
    node.zone,
    node.state,
    formatDuration(node.state_seconds * 1000),
    node.age_seconds === null ? '-' : formatDuration(node.age_seconds * 1000),
    String(node.slices),
    node.draining_seconds === null ? '-' : `${node.draining_seconds} s`,
    node.cap_seconds === null ? '-' : `${node.cap_seconds} s`,
    node.pinned ?? (node.protected ? 'protected' : ''),
  ])
  const heading = [
    'POOL',
    'INSTANCE',
    'NODE',
    'ZONE',
    'STATE',
    'FOR',
    'AGE',
    'SLICES',
    'DRAINING',
    'HOOK LEFT',
    'KEPT',
  ]
  return [
    `${toSafeText(who)}\n`,
    ...pools.map(drawPool),
    ...(rows.length === 0 ? [] : [toTable(heading, rows)]),
    ...alarms.map((text) => `alarm: ${toSafeText(text)}\n`),
    ...faults.map((text) => `not known: ${toSafeText(text)}\n`),
  ].join('')
}
