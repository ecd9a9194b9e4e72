/** What EC2 takes back, and what it recommends to replace. */
import t from 'tap'
import { TOLD } from '../../src/fleet/drain-mark.ts'
import { plan } from '../../src/fleet/plan/plan.ts'
import { aPolicy, aPool, MINUTE, NOW, waitingSlices, type Pool } from './support/views.ts'

function decide({ view, memory }: Pool, policy = aPolicy(), nowMs = NOW) {
  const fresh = {
    ...view,
    startedMs: nowMs,
    demand: view.demand && { ...view.demand, atMs: nowMs },
  }
  const decided = plan(fresh, policy, memory, nowMs)
  const desired = decided.intents.find((each) => each.kind === 'set_desired')?.desired ?? null
  return {
    ...decided,
    desired,
    kinds: decided.intents.map(({ kind }) => kind),
    text: decided.why.notes.join('\n'),
  }
}

const NOTICE = { state: 'held', told: TOLD.interrupted } as const
const HINT = { state: 'held', told: TOLD.atRisk } as const

t.test(
  'F65: what EC2 takes back is no place, and what it will not finish counts now',
  async (t) => {
    const left = { ...NOTICE, slices: 2, remainingMs: 10 * MINUTE }
    const { desired, why, text } = decide(aPool([left]))
    t.equal(desired, 2, 'one more for both of them')
    t.match(why.ledger, { interrupted: 1 })
    t.match(text, '2 slices wait, 2 of them on machines that EC2 takes back: 2 on 1 new one')
    t.match(text, 'EC2 takes back i-0')
    t.equal(decide(aPool([{ ...left, remainingMs: 20_000 }])).desired, null, 'they end before')
    t.equal(decide(aPool([left, {}])).desired, null, 'another one has room')
    const begun = decide(aPool([{ ...NOTICE, slices: 0 }], { demand: waitingSlices(2) }))
    t.equal(begun.desired, 2, 'once they wait again they are counted as waiting, and once')
  },
)

t.test('F65: an empty one that is needed is replaced before EC2 takes it', async (t) => {
  const pool = aPool([NOTICE, { state: 'busy' }])
  const first = decide(pool, aPolicy({ min: 2 }))
  t.notOk(first.kinds.includes('terminate'), 'a placement may still be on its way')
  const second = decide({ ...pool, memory: first.memory }, aPolicy({ min: 2 }), NOW + 4000)
  const terminate = { kind: 'terminate', instanceId: 'i-0', reason: 'interrupted' }
  t.match(
    second.intents.filter(({ kind }) => kind === 'terminate'),
    [{ ...terminate, decrement: false }],
  )
  const unneeded = decide({ ...pool, memory: first.memory }, aPolicy(), NOW + 4000)
  t.match(
    unneeded.intents.filter(({ kind }) => kind === 'terminate'),
    [{ ...terminate, decrement: true }],
  )
  const busy = aPool([{ ...NOTICE, slices: 1 }])
  const begun = decide(busy)
  const later = decide({ ...busy, memory: begun.memory }, aPolicy(), NOW + 60_000)
  t.notOk(later.kinds.includes('terminate'), 'what runs there runs to the end of its notice')
})

t.test('F66: a hint alone takes no machine out that nobody can stand in for', async (t) => {
  const alone = decide(aPool([HINT]), aPolicy({ min: 1 }))
  t.match(alone.intents, [{ kind: 'uncordon', reason: 'no other machine stands in for it' }])
  const risky = { memory: { atRiskMs: NOW - MINUTE } }
  const back = decide(aPool([risky]), aPolicy({ min: 1 }))
  t.match(back.intents, [{ kind: 'set_desired', desired: 2 }])
  t.match(back.why.actions, [
    { reason: '1 more in place of machines that EC2 recommends to replace' },
  ])
  t.same(decide(aPool([risky])).kinds, [], 'nobody needs another one of these')
  const waits = decide(aPool([HINT, {}], { demand: waitingSlices(4) }))
  t.match(waits.intents, [{ kind: 'uncordon', reason: 'slices wait for it' }])
  const spare = decide(aPool([HINT, {}]), aPolicy({ min: 1 }))
  t.same(spare.kinds, [], 'another one is free: it stays out')
})

t.test(
  'F66: a hint that came before its notice, with it, or alone ends the same way',
  async (t) => {
    const hinted = aPool([HINT, {}])
    const first = decide(hinted, aPolicy({ min: 1 }))
    t.match(first.memory.units.get('i-0'), { atRiskMs: NOW, cordon: { reason: 'at_risk' } })
    const noticed = aPool([NOTICE, {}])
    const second = decide({ ...noticed, memory: first.memory }, aPolicy({ min: 1 }), NOW + 1000)
    t.match(second.why.ledger, { interrupted: 1, idle: 1 })
    const never = decide({ ...hinted, memory: first.memory }, aPolicy({ min: 1 }), NOW + 5000)
    t.match(never.intents, [{ kind: 'terminate', instanceId: 'i-0', decrement: true }])
  },
)

t.test(
  'a machine at risk goes when another one can take its place, within the budget',
  async (t) => {
    const risky = { memory: { atRiskMs: NOW - MINUTE } }
    const none = decide(aPool([{ ...risky, state: 'busy', slices: 2 }]))
    t.equal(none.desired, 2)
    t.match(none.text, 'kept although EC2 recommends to replace: 1 machine, until others stand in')
    const coming = decide(aPool([{ ...risky, state: 'busy' }, { state: 'booting' }]))
    t.same(coming.kinds, ['protect'], 'one is on its way')
    const swap = decide(aPool([{ ...risky, state: 'busy' }, {}]), aPolicy({ budget: { count: 1 } }))
    t.match(
      swap.intents.filter(({ kind }) => kind === 'cordon'),
      [{ instanceId: 'i-0', reason: 'at_risk' }],
    )
    const units = [risky, risky, {}, {}].map((unit) => ({ ...unit, state: 'busy' as const }))
    const three = decide(aPool(units), aPolicy({ budget: { count: 1 } }))
    t.equal(three.desired, 5, 'one at a time')
    const hints = aPool([HINT, HINT, {}, {}, {}])
    const { intents } = decide(hints, aPolicy({ min: 5, budget: { count: 1 } }))
    t.match(intents, [{ kind: 'uncordon', reason: 'the budget is 1 at once' }])
  },
)

t.test(
  'F67: a group that rebalances itself launches itself: nothing is asked for twice',
  async (t) => {
    const group = { rebalances: true }
    const risky = { memory: { atRiskMs: NOW - MINUTE }, state: 'busy' } as const
    const { kinds } = decide(aPool([risky, {}], { group }))
    t.same(kinds, ['protect'], 'it ends the old one itself')
    const more = decide(aPool([risky, { state: 'booting' }], { group: { ...group, desired: 1 } }))
    t.equal(more.desired, null)
    const lost = { ...NOTICE, slices: 2, remainingMs: 10 * MINUTE }
    const counted = decide(aPool([lost, { state: 'booting' }], { group: { ...group, desired: 1 } }))
    t.equal(counted.desired, null, 'what it launches has room for what is lost')
    const empty = aPool([NOTICE, {}], { group })
    const first = decide(empty, aPolicy({ min: 2 }))
    const second = decide({ ...empty, memory: first.memory }, aPolicy({ min: 2 }), NOW + 5000)
    t.notOk(second.kinds.includes('terminate'))
  },
)

t.test('the rest of a slice that ends in time is no demand', async (t) => {
  const { view, memory } = aPool([{ ...NOTICE, slices: 2, remainingMs: 90_000 }])
  const first = decide({ view, memory })
  t.equal(first.desired, null)
  const later = decide({ view, memory: first.memory }, aPolicy(), NOW + 30_000)
  t.equal(later.desired, 2, 'as it turns out, they do not')
})
