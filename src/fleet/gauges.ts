/** How the pools stand, as numbers. Pure. */
import type { GaugeReading } from '../platform/index.ts'
import type { Tick } from './controller.ts'
import type { Beat } from './heartbeats.ts'
import { UNIT_STATES } from './plan/unit.ts'

/** @param nowMs on the monotonic clock. */
export function fleetGauges(
  tick: Tick | null,
  beats: readonly Beat[],
  nowMs: number,
): GaugeReading[] {
  const isActive = tick?.kind === 'acted'
  const active: GaugeReading = { name: 'circle.fleet.active', value: isActive ? 1 : 0 }
  if (!isActive) return [active]
  return [
    active,
    ...[...tick.plans].flatMap(([pool, { why, alarms }]): GaugeReading[] => {
      const tags = { pool }
      const own = beats.filter((beat) => beat.pool === pool && beat.transition === 'terminating')
      const margins = own.map(({ expiresMs }) => (expiresMs - nowMs) / 1000)
      return [
        { name: 'circle.fleet.capacity.desired', value: why.target, tags },
        { name: 'circle.fleet.capacity.actual', value: why.desired, tags },
        { name: 'circle.fleet.hooks.open', value: own.length, tags },
        ...(margins.length === 0
          ? []
          : [{ name: 'circle.fleet.hooks.margin', value: Math.min(...margins), tags }]),
        { name: 'circle.fleet.alarms', value: alarms.length, tags },
        ...UNIT_STATES.map((state) => {
          return {
            name: 'circle.fleet.units',
            value: why.ledger[state] ?? 0,
            tags: { pool, state },
          }
        }),
      ]
    }),
  ]
}
