/** Fewer machines: what may go, what may not, and when it is sure. */
import t from 'tap'
import { plan } from '../../src/fleet/plan/plan.ts'
import type { Intent } from '../../src/fleet/intents.ts'
import { aPolicy, aPool, MINUTE, NOW, waitingSlices, type Pool } from './support/views.ts'

function decide({ view, memory }: Pool, policy = aPolicy(), nowMs = NOW) {
  const decided = plan(view, policy, memory, nowMs)
  return { ...decided, kinds: decided.intents.map(({ kind }) => kind) }
}

function ids(intents: readonly Intent[], kind: Intent['kind']): string[] {
  return intents.flatMap((each) =>
    each.kind === kind && 'instanceId' in each ? [each.instanceId] : [],
  )
}

const LONG = 11 * MINUTE

t.test(
  'a machine that is idle for idle_off is cordoned, and ended when it is proven empty',
  async (t) => {
    t.same(decide(aPool([{ idleMs: 9 * MINUTE }])).kinds, [])
    const first = decide(aPool([{ idleMs: LONG }]))
    t.same(first.kinds, ['cordon'])
    t.match(first.memory.units.get('i-0'), {
      cordon: { reason: 'idle', askedMs: NOW, seenMs: null },
    })
    const proven = decide(aPool([{ state: 'cordoned' }]))
    t.match(proven.intents, [
      { kind: 'terminate', instanceId: 'i-0', decrement: true, nodeId: 'n-0' },
    ])
    t.match(proven.memory.units.get('i-0'), { committedMs: NOW, isDecremented: true })
  },
)

t.test(
  'F37: what was placed between the look and the cordon brings the machine back',
  async (t) => {
    t.same(decide(aPool([{ state: 'cordoned', slices: 1 }])).kinds, ['uncordon', 'protect'])
    const fresh = { cordon: { reason: 'idle', askedMs: NOW - 2000, seenMs: NOW - 1000 } } as const
    t.same(decide(aPool([{ state: 'cordoned', memory: fresh }])).kinds, [], 'too early to be sure')
  },
)

t.test(
  'a cordon that does not show is forgotten, and one that a person ended as well',
  async (t) => {
    const asked = { cordon: { reason: 'idle', askedMs: NOW - MINUTE, seenMs: null } } as const
    t.equal(decide(aPool([{ memory: asked }])).memory.units.get('i-0')?.cordon, null)
    const seen = {
      cordon: { reason: 'idle', askedMs: NOW - MINUTE, seenMs: NOW - MINUTE },
    } as const
    t.equal(decide(aPool([{ memory: seen }])).memory.units.get('i-0')?.cordon, null)
  },
)

t.test('F41: nothing goes below the minimum, of the pool or of the group', async (t) => {
  const idle = [{ idleMs: LONG }, { idleMs: LONG }, { idleMs: LONG }]
  t.same(decide(aPool(idle), aPolicy({ min: 3 })).kinds, [])
  t.same(decide(aPool(idle, { group: { min: 3 } })).kinds, [])
  t.equal(ids(decide(aPool(idle), aPolicy({ min: 2 })).intents, 'cordon').length, 1)
  const cordoned = aPool([{ state: 'cordoned' }, {}, {}], { group: { min: 3 } })
  t.same(decide(cordoned).kinds, ['uncordon'], 'the minimum rose meanwhile')
})

t.test('F42, F71, F12: nothing goes while the group can not let it go', async (t) => {
  const idle = [{ idleMs: LONG }]
  const cases: [string, Parameters<typeof aPool>[1]][] = [
    ['terminating is suspended', { group: { suspended: ['Terminate'] } }],
    ['a refresh of the instances', { isRefreshing: true }],
    ['being refreshed is not known', { isRefreshing: null }],
    ['no hook for terminating', { hooks: [] }],
    ['hooks of the group are not known', { hooks: null }],
    ['has not told what waits', { demand: null }],
    ['is too old', { demand: { classes: [], atMs: NOW - MINUTE } }],
  ]
  for (const [reason, over] of cases) {
    const { kinds, why } = decide(aPool(idle, over))
    t.same(kinds, [], reason)
    t.match(why.notes.join('\n'), reason)
    const back = decide(aPool([{ state: 'cordoned' }], over))
    t.same(back.kinds, ['uncordon'], `${reason}: what is cordoned comes back`)
  }
})

t.test("F44, F46, F96: what somebody has protected or pinned is nobody's victim", async (t) => {
  const isProtected = { idleMs: LONG, member: { isProtected: true } }
  t.same(decide(aPool([isProtected])).kinds, [])
  const ours = { ...isProtected, memory: { isProtectedByUs: true } }
  t.same(decide(aPool([ours])).kinds.toSorted(), ['cordon', 'unprotect'])
  const pins = new Map([['n-0', NOW + MINUTE]])
  t.same(decide(aPool([{ idleMs: LONG }], { pins })).kinds, [])
  t.same(
    decide(aPool([{ idleMs: LONG }], { pins }), aPolicy(), NOW + 2 * MINUTE).kinds,
    [],
    'stale demand',
  )
  const over = new Map([['i-0', NOW - 1]])
  t.same(decide(aPool([{ idleMs: LONG }], { pins: over })).kinds, ['cordon'])
})

t.test('busy machines are protected from scale-in, in step', async (t) => {
  const { intents } = decide(aPool([{ state: 'busy' }, { state: 'busy' }, {}]))
  t.match(intents, [{ kind: 'protect', instanceIds: ['i-0', 'i-1'] }])
  const kept = { state: 'busy', member: { isProtected: true } } as const
  t.same(decide(aPool([kept])).kinds, [], 'once')
})

t.test('F47: the desired size is never lowered by hand', async (t) => {
  const units = Array.from({ length: 6 }, () => ({ idleMs: LONG }))
  t.notOk(decide(aPool(units)).kinds.includes('set_desired'))
})

t.test(
  'F45: of idle ones the fullest zone and the longest idle go first, within the budget',
  async (t) => {
    const a = (idleMs: number) => ({ idleMs, member: { zone: 'a' } })
    const b = (idleMs: number) => ({ idleMs, member: { zone: 'b' } })
    const pool = aPool([b(60 * MINUTE), a(LONG), a(30 * MINUTE), a(12 * MINUTE)])
    const { intents, why } = decide(pool, aPolicy({ budget: { count: 2 } }))
    t.same(ids(intents, 'cordon'), ['i-2', 'i-3'])
    t.match(why.notes.join('\n'), '2 more may go; the budget is 2 at once')
    const going = aPool([{ state: 'cordoned', memory: { cordon: null } }, a(LONG)])
    t.same(ids(decide(going, aPolicy({ budget: { count: 1 } })).intents, 'cordon'), [])
  },
)

t.test('F86: what goes already is counted, tick after tick', async (t) => {
  const units = [{ idleMs: LONG }, { idleMs: LONG }, { idleMs: LONG }, { idleMs: LONG }]
  const pool = aPool(units)
  const policy = aPolicy({ min: 2, budget: { percent: 100 } })
  const first = decide(pool, policy)
  t.equal(ids(first.intents, 'cordon').length, 2)
  const going = aPool([
    { state: 'cordoned' },
    { state: 'cordoned' },
    { idleMs: LONG },
    { idleMs: LONG },
  ])
  const second = decide(going, policy)
  t.same(second.kinds, ['terminate', 'terminate'])
  const shown = structuredClone(going)
  const third = decide({ view: shown.view, memory: second.memory }, policy, NOW + 2000)
  t.same(third.kinds, [], 'accepted, and not in the lists yet')
})

t.test('F53: a size that somebody else changed holds scale-in for a while', async (t) => {
  const pool = aPool([{ idleMs: LONG }, { idleMs: LONG }])
  pool.memory.seenDesired = 5
  const { kinds, why, memory } = decide(pool)
  t.same(kinds, [])
  t.match(why.notes[0], 'somebody else changed the desired size from 5 to 2')
  const view = { ...pool.view, demand: { classes: [], atMs: NOW + 2 * MINUTE } }
  const later = decide({ view, memory }, aPolicy(), NOW + 2 * MINUTE)
  t.ok(later.kinds.includes('cordon'))
  const own = aPool([{}, {}])
  own.memory.seenDesired = 1
  own.memory.asked = { desired: 2, atMs: NOW - 1000 }
  t.equal(decide(own).memory.foreignMs, null, 'our own is no news')
})

t.test('slices that wait keep every machine', async (t) => {
  const units = [{ idleMs: LONG }, { idleMs: LONG }]
  t.same(decide(aPool(units, { demand: waitingSlices(4) })).kinds, [])
  const one = decide(aPool(units, { demand: waitingSlices(1) }))
  t.equal(ids(one.intents, 'cordon').length, 1, 'but for those that nothing waits for')
})

t.test('rotation: old and outdated ones go under the budget, busy ones by waiting', async (t) => {
  const old = { member: { template: { id: 'lt-1', version: '0' } } }
  const idle = decide(aPool([old, {}]), aPolicy({ budget: { count: 1 } }))
  t.match(idle.intents, [{ kind: 'cordon', instanceId: 'i-0', reason: 'outdated' }])
  const busy = decide(aPool([{ ...old, state: 'busy' }]))
  t.same(busy.kinds, ['cordon', 'protect'])
  const cordon = { reason: 'outdated', askedMs: NOW - MINUTE, seenMs: NOW - MINUTE } as const
  const waits = decide(aPool([{ ...old, state: 'cordoned', slices: 1, memory: { cordon } }]))
  t.same(waits.kinds, ['protect'], 'its slice ends first')
  const last = aPool([{ ...old, state: 'cordoned', memory: { cordon } }])
  t.match(decide(last, aPolicy({ min: 1 })).intents, [{ kind: 'terminate', decrement: false }])
  const aged = decide(aPool([{}]), aPolicy({ maxAgeMs: 30 * MINUTE }))
  t.match(aged.intents, [{ kind: 'cordon', reason: 'max_age' }])
  const queue = aPool([old], { demand: waitingSlices(50) })
  t.notOk(decide(queue).kinds.includes('cordon'), 'not while slices wait')
})

t.test(
  'F89: one that was too old before we saw it boot is as old as we have seen it',
  async (t) => {
    // By the clock of AWS it was launched an hour ago: one of the clocks is off, and so it is for all that follow.
    const from = (readyMs: number) => {
      const memory = { firstSeenMs: NOW - 10 * MINUTE, readyMs }
      return decide(aPool([{ memory }]), aPolicy({ min: 1, maxAgeMs: 30 * MINUTE })).intents
    }
    t.same(from(NOW - 9 * MINUTE), [])
    t.match(from(NOW - 10 * MINUTE), [{ reason: 'max_age' }], 'it was there before us')
  },
)

t.test('rotation waits for the new ones, and stops when they do not come', async (t) => {
  const old = { member: { template: { id: 'lt-1', version: '0' } } }
  const policy = aPolicy({ min: 2, budget: { count: 1 } })
  const booting = decide(aPool([old, { state: 'booting' }]), policy)
  t.same(booting.kinds, [], 'the one before it is not there yet')
  t.match(booting.why.notes.join('\n'), '1 more may go; the budget is 1 at once')
  const failed = aPool([old, {}])
  failed.memory.backoff.never_registered = { failures: 2, untilMs: NOW - MINUTE }
  const stopped = decide(failed, policy)
  t.same(stopped.kinds, [])
  const why = 'kept although due: 1 machine, since launches failed 2 times (never_registered)'
  t.match(stopped.why.notes.join('\n'), why)
  const cordon = { reason: 'outdated', askedMs: NOW - MINUTE, seenMs: NOW - MINUTE } as const
  const begun = aPool([{ ...old, state: 'cordoned', memory: { cordon } }, {}])
  begun.memory.backoff = failed.memory.backoff
  t.same(decide(begun, policy).kinds, ['uncordon'], 'what has begun is taken back')
})

t.test(
  'a floor is kept by machines that are there, not by those that were asked for',
  async (t) => {
    const idle = [{ idleMs: LONG }, { idleMs: LONG }]
    const pool = aPool(idle, { group: { desired: 5 } })
    t.same(decide(pool, aPolicy({ min: 2 })).kinds, [])
    t.equal(ids(decide(pool, aPolicy({ min: 1 })).intents, 'cordon').length, 1)
    const cordoned = aPool([{ state: 'cordoned' }, { state: 'busy' }], { group: { desired: 5 } })
    t.same(decide(cordoned, aPolicy({ min: 2 })).kinds, ['uncordon', 'protect'])
    pool.memory.backoff.capacity = { failures: 3, untilMs: NOW - MINUTE }
    const text = '3 machines were asked for and do not come: launches failed 3 times (capacity)'
    t.match(decide(pool).why.notes.join('\n'), text)
  },
)

t.test(
  'F29: a machine whose node never comes is replaced, a few at a time and ever more rarely',
  async (t) => {
    const missing = { node: null, memory: { readyMs: null, firstSeenMs: NOW - 60 * MINUTE } }
    const pool = aPool([missing, missing, missing, missing], { demand: waitingSlices(8) })
    const first = decide(pool, aPolicy({ min: 4 }))
    t.equal(ids(first.intents, 'terminate').length, 3)
    t.match(first.intents.at(-1), { nodeId: null, decrement: false, reason: 'never_registered' })
    t.match(first.alarms, [{ key: 'never registered' }])
    t.match(first.memory.backoff.never_registered, { failures: 1 })
    const second = decide(
      { view: pool.view, memory: first.memory },
      aPolicy({ min: 4 }),
      NOW + 1000,
    )
    t.same(second.kinds, [])
  },
)

t.test(
  'F31: a node that can not be told to be whose saves every machine that could be its own',
  async (t) => {
    const missing = { node: null, memory: { readyMs: null, firstSeenMs: NOW - 60 * MINUTE } }
    const { kinds, alarms } = decide(aPool([missing, {}], { unmatched: 1 }))
    t.same(kinds, [])
    t.match(alarms, [{ key: 'unmatched' }])
  },
)

t.test(
  'F33, F36: a node that is not ready is replaced late, and never with many others',
  async (t) => {
    const down = (sinceMs: number) => ({
      node: { status: 'down', isEligible: false } as const,
      memory: { unfitSinceMs: NOW - sinceMs },
    })
    t.same(decide(aPool([down(MINUTE), {}])).kinds, [])
    t.match(decide(aPool([down(LONG), {}]), aPolicy({ min: 2 })).intents, [
      { kind: 'terminate', reason: 'unfit', decrement: false },
    ])
    const many = decide(aPool(Array.from({ length: 6 }, () => down(LONG))))
    t.same(many.kinds, [])
    t.match(many.alarms, [{ key: 'many unfit' }])
    const busy = { ...down(LONG), slices: 1 }
    t.notOk(
      decide(aPool([busy, {}])).kinds.includes('terminate'),
      'what may still run is waited for',
    )
  },
)

t.test('F95: a list without any node of the pool ends no machine, however long', async (t) => {
  const vanished = { node: null, memory: { readyMs: NOW - 99 * MINUTE, unfitSinceMs: NOW - LONG } }
  const { kinds, alarms } = decide(aPool([vanished, vanished]), aPolicy({ min: 2 }))
  t.same(kinds, [])
  t.match(alarms, [{ key: 'no nodes' }])
  const one = decide(aPool([vanished, {}]), aPolicy({ min: 2 }))
  t.match(one.intents, [{ kind: 'terminate', instanceId: 'i-0', reason: 'unfit' }])
})

t.test('F80: demand that is old may still ask for more, and takes nothing away', async (t) => {
  const demand = waitingSlices(9)
  const pool = aPool([{ idleMs: LONG }], { demand: { ...demand!, atMs: NOW - 5 * MINUTE } })
  t.same(decide(pool).kinds, ['set_desired'])
})
