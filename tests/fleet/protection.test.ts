/** Scale-in protection that the group itself gives to new machines. */
import t from 'tap'
import { plan } from '../../src/fleet/plan/plan.ts'
import type { PoolMemory } from '../../src/fleet/memory.ts'
import { aPolicy, aPool, MINUTE, NOW, type UnitOptions } from './support/views.ts'

/** One look of the controller at a pool whose group protects new machines. */
function look(unit: UnitOptions, nowMs: number, known?: PoolMemory) {
  const over = { startedMs: nowMs, demand: { classes: [], atMs: nowMs } }
  const { view, memory } = aPool([unit], { ...over, group: { protectsNew: true } })
  if (known === undefined) memory.units = new Map()
  const decided = plan(view, aPolicy(), known ?? memory, nowMs)
  return { memory: decided.memory, kinds: decided.intents.map(({ kind }) => kind).toSorted() }
}

const BOOTING: UnitOptions = { state: 'booting', member: { lifecycle: 'Pending' } }
const SERVING: UnitOptions = { member: { isProtected: true } }

t.test('a machine that was seen as it came is let go when it is idle', async (t) => {
  const first = look(BOOTING, NOW)
  const serves = look(SERVING, NOW + MINUTE, first.memory)
  t.same(serves.kinds, ['unprotect'])
  const idle = look(SERVING, NOW + 12 * MINUTE, serves.memory)
  t.same(idle.kinds, ['cordon', 'unprotect'])
})

t.test('so is one that a new controller finds', async (t) => {
  t.same(look(SERVING, NOW).kinds, ['unprotect'])
})

t.test(
  'a protection of ours stays ours when a list that lags leaves the machine out',
  async (t) => {
    const busy = aPool([{ state: 'busy' }])
    const protects = plan(busy.view, aPolicy(), busy.memory, NOW)
    t.match(protects.intents, [{ kind: 'protect', instanceIds: ['i-0'] }])
    const later = (units: readonly UnitOptions[], afterMs: number, memory: PoolMemory) => {
      const nowMs = NOW + afterMs
      const { view } = aPool(units, { startedMs: nowMs, demand: { classes: [], atMs: nowMs } })
      const decided = plan(view, aPolicy(), memory, nowMs)
      return { memory: decided.memory, kinds: decided.intents.map(({ kind }) => kind) }
    }
    for (const [awayMs, kinds] of [
      [MINUTE, ['unprotect']],
      [3 * MINUTE, []],
    ] as const) {
      const first = later([], 1000, protects.memory)
      const without = later([], awayMs, first.memory)
      t.same(later([SERVING], awayMs + 1000, without.memory).kinds, kinds, `away for ${awayMs} ms`)
    }
  },
)
