/** Machines that their group keeps beside those that serve. */
import t from 'tap'
import { plan } from '../../src/fleet/plan/plan.ts'
import { toFleetStatus } from '../../src/fleet/status.ts'
import { aPolicy, aPool, MINUTE, NOW, waitingSlices, type Pool } from './support/views.ts'

function decide({ view, memory }: Pool, policy = aPolicy(), nowMs = NOW) {
  const decided = plan(view, policy, memory, nowMs)
  const desired = decided.intents.find((each) => each.kind === 'set_desired')?.desired ?? null
  return { ...decided, desired, kinds: decided.intents.map(({ kind }) => kind) }
}

const HOUR = 60 * MINUTE
const LONG = 11 * MINUTE
const aside = (lifecycle: string, idleMs = LONG) => ({ idleMs, member: { lifecycle } })
const since = (state: string, ms: number) => ({ state, stateSinceMs: NOW - ms })

t.test('F72, F74: what stands aside is no place and nobody ends it', async (t) => {
  for (const [lifecycle, state] of [
    ['Standby', 'standby'],
    ['EnteringStandby', 'standby'],
    ['Warmed:Running', 'warm'],
    ['Warmed:Stopped', 'warm'],
    ['Warmed:Terminating:Wait', 'warm'],
  ] as const) {
    const idle = decide(aPool([aside(lifecycle)], { group: { desired: 0 } }))
    t.same(idle.kinds, [], lifecycle)
    t.match(idle.why.ledger, { [state]: 1 })
    t.notOk('requested' in idle.why.ledger)
    const demand = waitingSlices(2)
    const waits = decide(aPool([aside(lifecycle)], { demand, group: { desired: 0 } }))
    t.equal(waits.desired, 1, `${lifecycle} has no room for slices`)
    const kept = decide(
      aPool([aside(lifecycle), {}], { group: { desired: 1 } }),
      aPolicy({ min: 1 }),
    )
    t.same(kept.kinds, [], 'and does not count for the minimum')
  }
})

t.test('F74: the time in a warm pool is no boot, and coming into service is', async (t) => {
  const node = { node: null, memory: { readyMs: null, ...since('warm', 5 * HOUR) } }
  const pool = aPool([{ ...node, member: { lifecycle: 'Pending' } }])
  const { why, memory } = decide(pool)
  t.match(why.ledger, { booting: 1 }, 'not missing, although it was launched hours ago')
  const there = aPool([{}])
  const ready = decide({ view: there.view, memory }, aPolicy(), NOW + 20_000)
  t.same(ready.memory.bootsMs, [20_000])
})

t.test('F75: a warm pool is told of where the settings say spot', async (t) => {
  const group = { hasWarmPool: true }
  t.same(decide(aPool([{}], { group })).alarms, [])
  t.match(decide(aPool([{}], { group }), aPolicy({ isSpot: true })).alarms, [
    { key: 'spot warm pool', about: 'clients' },
  ])
})

t.test('F76: retained machines are told of when they are forgotten', async (t) => {
  const retained = (ms: number, slices = 0) =>
    decide(
      aPool([{ ...aside('Terminating:Retained'), slices, memory: since('retained', ms) }], {
        group: { desired: 0 },
      }),
    )
  t.same(retained(50 * MINUTE).alarms, [])
  const old = retained(3 * HOUR)
  t.match(old.alarms, [{ key: 'retained i-0', about: 'i-0', text: /for 3h0m, and nothing runs/ }])
  t.match(old.alarms[0]?.text, 'terminate-instance-in-auto-scaling-group --instance-id i-0')
  t.same(retained(3 * HOUR, 1).alarms, [], 'as long as something runs, it is waited for')
  t.match(retained(49 * HOUR, 1).alarms, [{ text: /1 allocations run on it/ }])
})

t.test('F77: a machine that never ends is told of, and asked for once', async (t) => {
  const ending = (ms: number) =>
    decide(
      aPool([{ member: { lifecycle: 'Terminating:Proceed' }, memory: since('terminating', ms) }], {
        demand: waitingSlices(2),
        group: { desired: 0 },
      }),
    )
  t.same(ending(10 * MINUTE).alarms, [])
  const stuck = ending(2 * HOUR)
  t.match(stuck.alarms, [{ key: 'ending i-0', text: /Terminating:Proceed for 2h0m.*protection/ }])
  t.same(stuck.kinds, ['set_desired'], 'nothing is tried again, and another one comes for slices')
})

t.test(
  'F78: a group that is gone, or being deleted, is frozen, and its hooks are kept',
  async (t) => {
    const pool = aPool([{ idleMs: LONG }], { demand: waitingSlices(9) })
    pool.view.group = null
    t.match(decide(pool), { intents: [], alarms: [{ key: 'no group' }] })
    t.same(
      decide(pool).memory,
      pool.memory,
      'nothing is forgotten: it may be an answer that is wrong',
    )
    const units = [
      { state: 'waiting', slices: 1 },
      { state: 'waiting' },
      { state: 'cordoned' },
    ] as const
    const group = { status: 'Delete in progress' }
    const leaving = decide(aPool(units, { demand: waitingSlices(9), group }))
    t.same(leaving.kinds, ['complete'], 'a drain that is under way comes to its end')
    t.equal(leaving.hooks.length, 2)
    t.match(leaving.why.notes.join('\n'), /2 open hooks; i-0 can be held until 2023-11-16T\d\d:/)
    t.match(leaving.why.notes.join('\n'), 'Delete in progress: nothing is decided but on hooks')
  },
)

t.test('the status tells for how long, and how old a machine is', async (t) => {
  const unit = { ...aside('Terminating:Retained'), memory: since('retained', 2 * HOUR) }
  const decided = decide(aPool([unit], { group: { desired: 0 } }))
  const plans = new Map([['linux', decided]])
  const status = toFleetStatus({ plans, lease: null, faults: [], nowMs: NOW })
  t.match(status.nodes, [{ state: 'retained', state_seconds: 7200, age_seconds: 3600 }])
  t.match(status.alarms, [/retained i-0/])
})
