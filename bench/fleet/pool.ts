/** A large pool in the middle of a busy day. */
import { plan } from '../../src/fleet/plan/plan.ts'
import { aPolicy, aPool, MINUTE, NOW, type UnitOptions } from '../../tests/fleet/support/views.ts'

const SECOND = 1000

const CLASSES = [
  { name: 'small', need: { cpuMhz: 3000, memoryMiB: 4608 } },
  { name: 'medium', need: { cpuMhz: 5000, memoryMiB: 8704 } },
  { name: 'large', need: { cpuMhz: 5000, memoryMiB: 16_896 } },
  { name: 'massive', need: { cpuMhz: 8000, memoryMiB: 28_512 } },
]

/** Most of it busy, some idle, cordoned, booting or on their way out. */
export function largePool(nodes: number, waiting: number) {
  const units = Array.from({ length: nodes }, (_, at): UnitOptions => {
    const kind = at % 20
    if (kind === 0) return { state: 'idle', idleMs: 20 * MINUTE }
    if (kind === 1) return { state: 'cordoned' }
    if (kind === 2) return { state: 'booting' }
    if (kind === 3) return { state: 'waiting', slices: 1 }
    return { state: 'busy', slices: 2, remainingMs: (at % 7) * MINUTE }
  })
  const demand = {
    classes: CLASSES.map((each) => {
      return { ...each, pool: 'linux', waiting: waiting / CLASSES.length, oldestMs: MINUTE }
    }),
    atMs: NOW,
  }
  const most = nodes * 20
  const { view, memory } = aPool(units, { demand, group: { max: most } })
  memory.bootsMs = [2 * MINUTE]
  const policy = aPolicy({ max: most })
  // As it is remembered from the look before.
  const before = plan({ ...view, demand: null }, policy, memory, NOW - SECOND)
  return { view, memory: before.memory, policy, nowMs: NOW }
}
