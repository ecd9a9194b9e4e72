/** What holds of every plan, whatever was seen. */
import fc from 'fast-check'
import t from 'tap'
import { TOLD } from '../../src/fleet/drain-mark.ts'
import { plan } from '../../src/fleet/plan/plan.ts'
import { aPolicy, aPool, MINUTE, NOW, waitingSlices, type UnitOptions } from './support/views.ts'

const plain: fc.Arbitrary<UnitOptions> = fc.record({
  state: fc.constantFrom('idle', 'busy', 'booting', 'cordoned', 'held', 'waiting'),
  idleMs: fc.integer({ min: 0, max: 60 * MINUTE }),
  slices: fc.integer({ min: 0, max: 2 }),
  remainingMs: fc.option(fc.integer({ min: 0, max: 10 * MINUTE }), { nil: null }),
  member: fc.record({
    isProtected: fc.boolean(),
    zone: fc.constantFrom('a', 'b'),
    template: fc.constantFrom({ id: 'lt-1', version: '1' }, { id: 'lt-1', version: '0' }),
  }),
  memory: fc.record({ isProtectedByUs: fc.boolean() }),
})

/** Its daemon tells what it has heard of EC2, or its group keeps it aside. */
const odd: fc.Arbitrary<UnitOptions> = fc
  .tuple(
    plain,
    fc.constantFrom(TOLD.interrupted, TOLD.atRisk),
    fc.constantFrom('InService', 'Standby', 'Warmed:Running', 'Terminating:Proceed'),
    fc.boolean(),
  )
  .map(([unit, told, lifecycle, isTold]) =>
    isTold
      ? { ...unit, state: 'held', told }
      : {
          ...unit,
          state: unit.state === 'waiting' ? 'idle' : (unit.state ?? 'idle'),
          member: { ...unit.member, lifecycle },
          memory: { atRiskMs: NOW },
        },
  )

const unit = fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: odd })

const situation = fc
  .record({
    units: fc.array(unit, { maxLength: 12 }),
    waiting: fc.integer({ min: 0, max: 40 }),
    min: fc.integer({ min: 0, max: 4 }),
    max: fc.integer({ min: 4, max: 15 }),
    groupMin: fc.integer({ min: 0, max: 4 }),
    groupMax: fc.integer({ min: 4, max: 15 }),
    more: fc.integer({ min: 0, max: 3 }),
    suspended: fc.subarray(['Launch', 'Terminate']),
    isRefreshing: fc.boolean(),
    count: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ units, waiting, more, suspended, isRefreshing, ...sizes }) => {
    const counted = units.filter(({ state }) => state !== 'waiting').length
    const group = { min: sizes.groupMin, max: sizes.groupMax, desired: counted + more, suspended }
    const pool = aPool(units, { demand: waitingSlices(waiting), group, isRefreshing })
    const policy = aPolicy({ min: sizes.min, max: sizes.max, budget: { count: sizes.count } })
    return { pool, policy }
  })

t.test('nothing that may run is ended, and nothing goes below or above by our hand', async () => {
  fc.assert(
    fc.property(situation, ({ pool: { view, memory }, policy }) => {
      const { intents, why } = plan(view, policy, memory, NOW)
      const of = (id: string) => view.units.find(({ member }) => member.instanceId === id)
      let { desired } = view.group ?? { desired: 0 }
      for (const intent of intents) {
        if (intent.kind === 'terminate' || intent.kind === 'complete') {
          if ((of(intent.instanceId)?.live.length ?? 0) > 0) return false
          if (of(intent.instanceId)?.node?.isEligible) return false
        }
        if (intent.kind === 'set_desired') {
          if (intent.desired > why.max || intent.desired <= desired) return false
          desired = intent.desired
        }
        if (intent.kind === 'terminate' && intent.decrement) {
          desired -= 1
          if (desired < why.min) return false
        }
      }
      return true
    }),
    { numRuns: 2000 },
  )
})

t.test('what is pinned or protected by others is left alone', async () => {
  fc.assert(
    fc.property(situation, ({ pool: { view, memory }, policy }) => {
      const { intents } = plan(view, policy, memory, NOW)
      return intents.every((intent) => {
        if (intent.kind !== 'cordon' && intent.kind !== 'terminate') return true
        const unit = view.units.find(({ member }) => member.instanceId === intent.instanceId)
        const isOurs = memory.units.get(intent.instanceId)?.isProtectedByUs
        return !unit?.member.isProtected || isOurs
      })
    }),
    { numRuns: 500 },
  )
})

t.test('each machine is told one thing at most, and cordons keep within the budget', async () => {
  fc.assert(
    fc.property(situation, ({ pool: { view, memory }, policy }) => {
      const { intents } = plan(view, policy, memory, NOW)
      const told = intents.flatMap((intent) =>
        'instanceId' in intent && intent.kind !== 'drain' ? [intent.instanceId] : [],
      )
      if (new Set(told).size !== told.length) return false
      const going = view.units.filter(({ node }) => node !== null && !node.isEligible).length
      const cordons = intents.filter(({ kind }) => kind === 'cordon').length
      return cordons <= Math.max(0, 'count' in policy.budget ? policy.budget.count : going)
    }),
    { numRuns: 500 },
  )
})

t.test('every cordon is taken back or carried out', async () => {
  fc.assert(
    fc.property(situation, ({ pool: { view, memory }, policy }) => {
      // Time passes, slices end, and nothing else happens.
      const over = structuredClone({ ...view, pins: new Map(), startedMs: NOW + 60 * MINUTE })
      for (const unit of over.units) Object.assign(unit, { live: [], placed: [] })
      over.demand = { classes: [], atMs: NOW + 60 * MINUTE }
      const { intents } = plan(over, policy, memory, NOW + 60 * MINUTE)
      const cordoned = over.units.filter(
        ({ member, node }) => member.lifecycle === 'InService' && node?.mark?.by === 'controller',
      )
      return cordoned.every(({ member: { instanceId } }) =>
        intents.some(
          (intent) =>
            'instanceId' in intent &&
            intent.instanceId === instanceId &&
            (intent.kind === 'uncordon' || intent.kind === 'terminate'),
        ),
      )
    }),
    { numRuns: 500 },
  )
})
