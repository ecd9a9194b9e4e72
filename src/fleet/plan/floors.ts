/** How many machines a pool has at least, whatever the queue says now. Pure. */
import { lastFiring, parseCron } from '../../model/index.ts'
import type { PoolMemory } from '../memory.ts'
import type { PoolPolicy } from '../policy.ts'

export interface Floor {
  size: number
  /** What asks for it. */
  by: string
  /** Told by the past alone: approached slowly. */
  isForecast: boolean
}

/** The highest of all; never above the pool's maximum. */
export function findFloor(
  policy: PoolPolicy,
  memory: PoolMemory,
  orderedSize: number | null,
  aheadMs: number,
  nowMs: number,
): Floor {
  const floors: Floor[] = [{ size: policy.min, by: 'min', isForecast: false }]
  for (const { name, floor, cron, zone, forMs } of policy.schedules) {
    const parsed = parseCron(cron)
    const fired = typeof parsed === 'string' ? null : lastFiring(parsed, zone, nowMs)
    if (fired === null || nowMs >= fired + forMs) continue
    floors.push({ size: floor, by: `schedule ${name}`, isForecast: false })
  }
  if (orderedSize !== null) floors.push({ size: orderedSize, by: 'order', isForecast: false })
  const expected = forecast(memory, nowMs + aheadMs)
  if (expected !== null) floors.push({ size: expected, by: 'forecast', isForecast: true })
  const highest = floors.reduce((best, each) => (each.size > best.size ? each : best))
  return { ...highest, size: Math.min(highest.size, policy.max) }
}

const PERIOD_MS = 30 * 60_000
const WEEK_MS = 7 * 86_400_000
/** Older weeks tell of another project. */
const WEEKS = 3

/** Changes the memory: the most that were needed in this half hour. */
export function noteNeeded(memory: PoolMemory, units: number, nowMs: number): void {
  const atMs = Math.floor(nowMs / PERIOD_MS) * PERIOD_MS
  const last = memory.needed.at(-1)
  if (last?.atMs === atMs) {
    last.units = Math.max(last.units, units)
    return
  }
  memory.needed = [...memory.needed, { atMs, units }].filter(
    (each) => each.atMs >= atMs - WEEKS * WEEK_MS,
  )
}

/** What most weeks had at this time; null with fewer than two of them. */
function forecast({ needed }: PoolMemory, atMs: number): number | null {
  const period = Math.floor(atMs / PERIOD_MS) * PERIOD_MS
  const wanted = new Set<number>()
  for (let week = 1; week <= WEEKS; week++) wanted.add(period - week * WEEK_MS)
  const units = needed.filter((each) => wanted.has(each.atMs)).map((each) => each.units)
  if (units.length < 2) return null
  // Of two the smaller, of three the middle: one odd week costs no money.
  return units.sort((a, b) => a - b)[units.length - 2] ?? null
}
