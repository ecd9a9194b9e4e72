/** Pools that stand in for one another: each slice is counted for one of them, and none waits for a broken one. */
import fc from 'fast-check'
import t from 'tap'
import { decide, survey, type Plan } from '../../src/fleet/plan/plan.ts'
import { shareDemand } from '../../src/fleet/plan/sharing.ts'
import type { PoolPolicy } from '../../src/fleet/index.ts'
import {
  aPolicy,
  aPool,
  MEDIUM,
  MINUTE,
  NOW,
  SHAPE,
  type Pool,
  type PoolOptions,
  type UnitOptions,
} from './support/views.ts'

const NOTHING = { classes: [], atMs: NOW }

interface Given {
  units?: readonly UnitOptions[]
  view?: PoolOptions
  policy?: Partial<PoolPolicy>
  broken?: boolean
}

/** Slices of one class wait, which prefers `first` and is satisfied with `second`. */
function two(waiting: number, first: Given, second: Given, need = MEDIUM) {
  const claim = { name: 'medium', pool: 'first', standIns: ['second'], need, oldestMs: 0 }
  const classes = waiting === 0 ? [] : [{ ...claim, waiting }]
  return [toPool('first', first, { classes, atMs: NOW }), toPool('second', second, NOTHING)]
}

function toPool(name: string, given: Given, demand: Pool['view']['demand']) {
  const pool = aPool(given.units ?? [], { demand, ...given.view })
  pool.memory.pool = name
  if (given.broken) pool.memory.backoff.capacity = { failures: 2, untilMs: NOW + MINUTE }
  return { ...pool, policy: aPolicy({ name, ...given.policy }) }
}

function planAll(pools: readonly ReturnType<typeof toPool>[], nowMs = NOW): Plan[] {
  const drafts = pools.map(({ view, memory, policy }) => survey(view, policy, memory, nowMs))
  shareDemand(drafts)
  return drafts.map((draft) => decide(draft))
}

const targets = (plans: readonly Plan[]) => plans.map(({ why }) => why.target)
const waiting = (plans: readonly Plan[]) => plans.map(({ why }) => why.demand['medium'] ?? 0)
const notes = (plans: readonly Plan[]) => plans.map(({ why }) => why.notes.join('\n'))

t.test('the pool that comes first grows, as long as it can', async (t) => {
  const plans = planAll(two(5, {}, {}))
  t.same(targets(plans), [3, 0])
  t.same(waiting(plans), [5, 0])
})

t.test('F69: while launches of the first one fail, the next one grows at once', async (t) => {
  const plans = planAll(two(5, { broken: true }, {}))
  t.same(targets(plans), [0, 3])
  t.same(waiting(plans), [0, 5])
  const [first = '', second] = notes(plans)
  t.match(first, 'second stands in for 5 slices of medium: launches failed 2 times (capacity)')
  t.match(second, 'stands in for first: 5 slices of medium')
  const later = planAll(two(5, { broken: true }, {}), NOW + 2 * MINUTE)
  t.same(targets(later), [3, 0], 'it is asked again')
})

t.test('what a group was told to have and does not get is no place', async (t) => {
  const group = { desired: 4 }
  t.same(targets(planAll(two(5, { view: { group } }, {}))), [4, 0], 'it comes')
  const broken = two(5, { view: { group }, broken: true }, {})
  t.same(targets(planAll(broken)), [4, 3])
  const later = planAll(broken, NOW + 10 * MINUTE)
  t.same(targets(later), [4, 3], 'its group goes on trying by itself')
  t.match(notes(later)[0], 'launches fail, and 4 machines were asked for')
})

t.test('a full, suspended or missing group hands over what it has no place for', async (t) => {
  t.same(targets(planAll(two(10, { policy: { max: 2 } }, {}))), [2, 3])
  t.match(notes(planAll(two(10, { policy: { max: 2 } }, {})))[0], 'its maximum is 2')
  const suspended = planAll(two(2, { view: { group: { suspended: ['Launch'] } } }, {}))
  t.same(targets(suspended), [0, 1])
  t.match(suspended[0]?.alarms, [{ key: 'launch suspended' }])
  const pools = two(2, {}, {})
  const [first] = pools
  if (first !== undefined) first.view.group = null
  t.same(targets(planAll(pools)), [0, 1])
  const small = { policy: { shape: { cpuMhz: 2000, memoryMiB: 4096 } } }
  const tooBig = planAll(two(2, small, {}))
  t.same(targets(tooBig), [0, 1])
  t.match(notes(tooBig)[0], 'its machines are too small')
})

t.test('what is there anywhere comes before what has yet to be launched', async (t) => {
  const free = planAll(two(3, {}, { units: [{}] }))
  t.same(waiting(free), [1, 2])
  t.same(targets(free), [1, 1])
  t.match(notes(free)[0], 'second stands in for 2 slices of medium: it has room')
  const booting = planAll(two(2, {}, { units: [{ state: 'booting' }] }))
  t.same(targets(booting), [0, 1], 'what has begun to stand in is not left for the first one')
})

t.test('nobody can: they wait where they would like to be', async (t) => {
  const plans = planAll(two(5, { broken: true }, { broken: true }))
  t.same(waiting(plans), [5, 0])
  t.same(targets(plans), [0, 0])
  t.match(notes(plans)[0], 'asking again at')
})

t.test('a pool that is not known now keeps its slices', async (t) => {
  const [, second] = two(5, {}, {})
  t.same(targets(planAll(second === undefined ? [] : [second])), [0], 'its group was not read')
  const silent = two(5, { view: { isNomadKnown: false } }, { view: { isNomadKnown: false } })
  t.same(targets(planAll(silent)), [0, 0])
})

t.test('slices without a choice are laid first', async (t) => {
  const pools = two(2, { broken: true }, { units: [{}] })
  const only = { name: 'only', pool: 'second', need: MEDIUM, waiting: 2, oldestMs: 0 }
  const [, second] = pools
  if (second !== undefined) second.view.demand = { classes: [only], atMs: NOW }
  t.same(targets(planAll(pools)), [0, 2])
})

const given: fc.Arbitrary<Given> = fc.record({
  units: fc.array(
    fc.record({
      state: fc.constantFrom('idle', 'busy', 'booting', 'cordoned', 'held', 'waiting'),
      slices: fc.integer({ min: 0, max: 2 }),
    }) as fc.Arbitrary<UnitOptions>,
    { maxLength: 6 },
  ),
  view: fc.record({
    group: fc.record({ suspended: fc.subarray(['Launch']), max: fc.integer({ min: 3, max: 12 }) }),
  }),
  policy: fc.record({ max: fc.integer({ min: 1, max: 12 }) }),
  broken: fc.boolean(),
})

t.test('each slice is counted for one pool exactly, and none for a pool that fails', async () => {
  const shapes = fc.constantFrom(MEDIUM, SHAPE, { cpuMhz: 1000, memoryMiB: 60_000 })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      given,
      given,
      shapes,
      (count, one, other, need) => {
        const plans = planAll(two(count, one, other, need))
        const [first = 0, second = 0] = waiting(plans)
        if (first + second !== count) return false
        const isStuck = (each: Given) =>
          each.broken === true || (each.view?.group?.suspended?.length ?? 0) > 0
        return plans.every(({ intents, why }, at) => {
          const asks = intents.some(({ kind }) => kind === 'set_desired')
          return (
            !(asks && isStuck(at === 0 ? one : other)) &&
            why.target <= Math.max(why.max, why.desired)
          )
        })
      },
    ),
    { numRuns: 500 },
  )
})

t.test('with the same answers a second time nothing moves', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), given, given, (count, one, other) => {
      const pools = two(count, one, other)
      const before = planAll(pools)
      // What was asked for is on its way.
      const after = pools.map((pool, at) => {
        const plan = before[at]
        const desired = plan?.why.target ?? 0
        const memory = { ...(plan?.memory ?? pool.memory), asked: { desired, atMs: NOW } }
        return { ...pool, memory }
      })
      const again = planAll(after, NOW + 1000)
      return again.every(({ why }, at) => why.target === before[at]?.why.target)
    }),
    { numRuns: 500 },
  )
})
