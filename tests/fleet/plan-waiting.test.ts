/** Terminations that wait for us, and what is left over. */
import t from 'tap'
import { noteUnits } from '../../src/fleet/memory.ts'
import { plan } from '../../src/fleet/plan/plan.ts'
import type { NodeView } from '../../src/fleet/view.ts'
import { aPolicy, aPool, HOOK, MINUTE, NOW, SHAPE, type Pool } from './support/views.ts'

function decide({ view, memory }: Pool, policy = aPolicy(), nowMs = NOW) {
  const decided = plan(view, policy, memory, nowMs)
  return { ...decided, kinds: decided.intents.map(({ kind }) => kind) }
}

t.test('F15: a termination that nobody told of is adopted: beaten for, and drained', async (t) => {
  const unit = { state: 'waiting', slices: 1, node: { isEligible: true } } as const
  const pool = aPool([{ ...unit, memory: { waitingSinceMs: null, drainedMs: null } }])
  const { intents, hooks } = decide(pool)
  t.match(intents, [{ kind: 'drain', nodeId: 'n-0', reason: 'terminated by somebody else' }])
  t.match(hooks, [{ instanceId: 'i-0', hook: HOOK.name, capAtMs: NOW + HOOK.capMs }])
})

t.test('F20: "drain complete" proves nothing; the allocations do', async (t) => {
  const running = aPool([{ state: 'waiting', slices: 1, node: { isDraining: false } }])
  t.same(decide(running).kinds, [])
  t.match(decide(running).hooks, [{}], 'the beats go on')
  t.match(decide(aPool([{ state: 'waiting' }])).intents, [
    { kind: 'complete', hook: HOOK.name, nodeId: 'n-0' },
  ])
  const fresh = { drainedMs: NOW - 1000 }
  t.same(
    decide(aPool([{ state: 'waiting', memory: fresh }])).kinds,
    [],
    'not before a placement shows',
  )
})

const drained = { state: 'waiting', memory: { drainedMs: NOW - MINUTE } } as const

t.test(
  'F20: lists that show nothing prove nothing either: Nomad itself has to call the drain complete',
  async (t) => {
    const node = { isDraining: true, isDrained: false }
    const hidden = decide(aPool([{ ...drained, node }]))
    t.same(hidden.kinds, [])
    t.match(hidden.why.notes.join(), /what our token may not see, may run there/)
    t.match(hidden.hooks, [{}], 'the beats go on')
    const cordoned = { state: 'cordoned' } as const
    t.same(decide(aPool([{ ...cordoned, node }])).kinds, [], 'a victim is not ended either')
    t.same(decide(aPool([cordoned])).kinds, ['terminate'])
  },
)

t.test('a node without a drain of its own is given one: only then can it be proven', async (t) => {
  const bare = { isDraining: false, isDrained: false }
  const early = { drainedMs: NOW - 1000 }
  t.same(decide(aPool([{ ...drained, node: bare, memory: { drainedMs: null } }])).kinds, ['drain'])
  t.same(decide(aPool([{ ...drained, node: bare }])).kinds, ['drain'], 'somebody took it back')
  t.same(
    decide(aPool([{ ...drained, node: bare, memory: early }])).kinds,
    [],
    'it may not show yet',
  )
})

t.test('F27: a node that is made eligible again is drained again, and not completed', async (t) => {
  const pool = aPool([{ state: 'waiting', node: { isEligible: true } }])
  t.same(decide(pool).kinds, ['drain'])
})

t.test('the scheduler may take in what agents sent last, for a while', async (t) => {
  const pool = aPool([{ state: 'waiting', slices: 1 }])
  const [unit] = pool.view.units
  t.ok(unit)
  unit!.live = []
  noteUnits(pool.memory, ['i-0'], () => ({ emptySinceMs: NOW - 1000 }))
  t.same(decide(pool).kinds, [])
  noteUnits(pool.memory, ['i-0'], () => ({ emptySinceMs: NOW - 2 * MINUTE }))
  t.same(decide(pool).kinds, ['complete'])
})

t.test(
  'F29, F30, F63: a machine whose node never came is let go when its boot must be over, one whose node comes late is drained',
  async (t) => {
    const gone = (seenMs: number, waitedMs = 40_000) => ({
      state: 'waiting' as const,
      node: null,
      memory: {
        readyMs: null,
        firstSeenMs: NOW - seenMs,
        waitingSinceMs: NOW - waitedMs,
        drainedMs: null,
      },
    })
    const early = decide(aPool([gone(9 * MINUTE)]))
    t.same(early.kinds, [], 'its node may come while it is let go')
    t.match(early.why.notes, [/its node may still come/])
    const over = gone(11 * MINUTE)
    t.match(decide(aPool([over])).intents, [{ kind: 'complete', nodeId: null }])
    t.same(decide(aPool([gone(11 * MINUTE, 10_000)])).kinds, [])
    t.same(decide(aPool([over], { unmatched: 1 })).kinds, [], '31: some node may be its own')
    const late = { state: 'waiting', node: { isEligible: true } } as const
    const memory = { readyMs: null, waitingSinceMs: NOW - 10_000, drainedMs: null }
    t.same(decide(aPool([{ ...late, memory }])).kinds, ['drain'])
  },
)

t.test('F61, F64: a node that is down is waited for, then let go', async (t) => {
  const down = (waitedMs: number, isEligible = false) => ({
    state: 'waiting' as const,
    node: { status: 'down' as const, isEligible },
    memory: { waitingSinceMs: NOW - 60 * MINUTE, unfitSinceMs: NOW - waitedMs },
  })
  t.same(decide(aPool([down(MINUTE)])).kinds, [])
  t.match(decide(aPool([down(3 * MINUTE)])).intents, [{ kind: 'complete', nodeId: 'n-0' }])
  t.same(
    decide(aPool([down(3 * MINUTE, true)])).kinds,
    ['drain'],
    'it may come back in the moment in which it is let go, and must take nothing then',
  )
})

t.test('F4, F5: the end of the hook is told before it comes, once', async (t) => {
  const hooks = [{ ...HOOK, timeoutMs: 30_000, capMs: 50 * MINUTE }]
  const at = (waitedMs: number, isReported = false) =>
    decide(
      aPool(
        [{ state: 'waiting', slices: 1, memory: { waitingSinceMs: NOW - waitedMs, isReported } }],
        {
          hooks,
        },
      ),
    )
  t.same(at(40 * MINUTE).alarms, [])
  const near = at(48 * MINUTE)
  t.match(near.alarms, [{ about: 'i-0', text: /ends i-0 in 2m0s, whatever runs.*job-0-0/ }])
  t.match(near.why.actions, [{ kind: 'report', about: 'i-0' }])
  t.equal(near.memory.units.get('i-0')?.isReported, true)
  t.same(at(48 * MINUTE, true).why.actions, [])
})

t.test('F10, F11: of several hooks ours is the one that says so', async (t) => {
  const other = { ...HOOK, name: 'backup' }
  const unit = { state: 'waiting' } as const
  t.match(decide(aPool([unit], { hooks: [HOOK, other] })).alarms, [{ key: 'hook' }])
  const own = { ...HOOK, name: 'caravan-drain' }
  t.match(decide(aPool([unit], { hooks: [own, other] })).hooks, [{ hook: own.name }])
  const alike = { ...HOOK, name: 'no-caravan' }
  t.match(decide(aPool([unit], { hooks: [alike, other] })).alarms, [
    { key: 'hook', text: /must begin with "caravan"/ },
  ])
  const unknown = decide(aPool([unit], { hooks: null }))
  t.match(unknown.alarms, [{ key: 'hook', text: /the hooks of the group can not be read/ }])
  t.same(unknown.hooks, [])
  t.match(decide(aPool([unit], { hooks: [] })).alarms, [
    { key: 'hook', text: /not there any more/ },
  ])
})

t.test('F4: a slice that will outlast its hook is told as soon as that can be known', async (t) => {
  const hooks = [{ ...HOOK, timeoutMs: 30_000, capMs: 50 * MINUTE }]
  const long = { state: 'waiting', slices: 1, remainingMs: 60 * MINUTE } as const
  t.match(decide(aPool([long], { hooks })).alarms, [
    {
      key: 'outlasts i-0',
      text: /run for 1h0m0s more, and Auto Scaling ends the machine in 49m0s/,
    },
  ])
  t.same(decide(aPool([{ ...long, remainingMs: 30 * MINUTE }], { hooks })).alarms, [])
})

t.test(
  'a completion counts for the wait that it ended, and not for one that comes after it',
  async (t) => {
    const memory = { waitingSinceMs: NOW - MINUTE, drainedMs: NOW - MINUTE }
    const completedHook = HOOK.name
    const before = { ...memory, completedHook, completedMs: NOW - MINUTE - 1000 }
    t.match(decide(aPool([{ state: 'waiting', memory: before }])).hooks, [{ instanceId: 'i-0' }])
    const after = { ...memory, completedHook, completedMs: NOW - 1000 }
    t.same(decide(aPool([{ state: 'waiting', memory: after }])).hooks, [])
  },
)

t.test(
  'F10: a machine whose other hook was taken for ours, while ours was not there, is held by ours',
  async (t) => {
    const memory = { waitingSinceMs: NOW - MINUTE, drainedMs: NOW - MINUTE }
    const other = { ...memory, completedMs: NOW - 1000, completedHook: 'of-others' }
    const { hooks } = decide(aPool([{ state: 'waiting', slices: 1, memory: other }]))
    t.match(hooks, [{ hook: HOOK.name, instanceId: 'i-0' }])
  },
)

t.test('how a wait ended is told once: drained, or with slices that still ran', async (t) => {
  const memory = { waitingSinceMs: NOW - 10 * MINUTE, drainedMs: NOW - 10 * MINUTE }
  const empty = { ...memory, emptySinceMs: NOW - MINUTE }
  const first = decide(aPool([{ state: 'waiting', memory: empty }]))
  t.same(first.departures, [{ kind: 'drained', instanceId: 'i-0', drainMs: 9 * MINUTE }])
  const again = { view: aPool([{ state: 'waiting' }]).view, memory: first.memory }
  t.same(decide(again).departures, [])
  const busy = { state: 'waiting', slices: 1, memory } as const
  t.same(decide(aPool([busy])).departures, [])
  const lapsed = { ...busy, member: { lifecycle: 'Terminating:Proceed' } }
  const told = decide(aPool([lapsed]))
  t.match(told.departures, [{ kind: 'abandoned', instanceId: 'i-0', jobs: ['job-0-0'] }])
  t.same(decide({ view: aPool([lapsed]).view, memory: told.memory }).departures, [])
  const kept = { ...busy, member: { lifecycle: 'Terminating:Retained' } }
  t.same(decide(aPool([kept])).departures, [], 'what is retained goes on')
  const down = { ...lapsed, node: { status: 'down' } } as const
  t.same(decide(aPool([down])).departures, [], 'what took the node down took its slices')
})

t.test('a node that is not ready is drained before its machine is ended', async (t) => {
  const memory = { unfitSinceMs: NOW - 11 * MINUTE }
  const silent = (more: Partial<NodeView>) =>
    decide(aPool([{ memory, node: { status: 'disconnected', ...more } }, {}, {}])).kinds
  t.same(silent({}), ['drain'])
  t.same(silent({ isEligible: false, isDraining: true }), [])
  t.same(silent({ isEligible: false, isDrained: true }), ['terminate'])
  t.same(silent({ status: 'down' }), ['drain'], 'it may come back')
  t.same(silent({ status: 'down', isEligible: false }), ['terminate'])
})

const stray = (launchedMs: number) => ({
  instance: {
    instanceId: 'i-9',
    state: 'running' as const,
    launchedMs,
    group: 'clients',
    zone: 'a',
    privateIp: null,
    imageId: '',
    isSpot: false,
    hopLimit: null,
    requiresTokens: true,
  },
  node: null,
  live: [] as { id: string; job: string }[],
})

t.test('F73, F95: a leaked machine is ended after two proofs, some time apart', async (t) => {
  const strays = [stray(NOW - 60 * MINUTE)]
  const units = [{}, {}, {}]
  const first = decide(aPool(units, { strays }))
  t.same(first.kinds, [])
  const second = decide(
    { ...aPool(units, { strays }), memory: first.memory },
    aPolicy(),
    NOW + 11 * MINUTE,
  )
  t.match(second.intents, [{ kind: 'end_stray', instanceId: 'i-9' }])
  const seen = decide({ ...aPool(units), memory: first.memory }, aPolicy(), NOW + 5 * MINUTE)
  t.same(seen.memory.gone, {}, 'seen in its group once, it has to be proven anew')
  const young = decide(aPool(units, { strays: [stray(NOW - MINUTE)] }))
  t.same(young.memory.gone, {})
  const many = Array.from({ length: 3 }, () => stray(NOW - 60 * MINUTE))
  t.match(decide(aPool(units, { strays: many })).alarms, [{ key: 'many strays' }])
  const busy = [{ ...strays[0]!, live: [{ id: 'a', job: 'j' }] }]
  const kept = { ...aPool(units, { strays: busy }), memory: first.memory }
  t.same(decide(kept, aPolicy(), NOW + 11 * MINUTE).kinds, [], 'what runs there is waited for')
  const node = { id: 'n-9', name: 'i-9', status: 'ready', room: SHAPE, mark: null } as const
  const facts = { isEligible: false, isDraining: false, isDrained: false }
  const withNode = (more: Partial<typeof facts>) => {
    const found = aPool(units, {
      strays: [{ ...strays[0]!, node: { ...node, ...facts, ...more } }],
    })
    return decide({ ...found, memory: first.memory }, aPolicy(), NOW + 11 * MINUTE).kinds
  }
  t.same(withNode({}), ['drain'], 'its node is drained first, also when it is ineligible already')
  t.same(withNode({ isDraining: true }), [])
  t.same(withNode({ isDrained: true }), ['end_stray'])
})

t.test('F32, F34, F35: a dead node is purged when its machine is gone for sure', async (t) => {
  const dead = (instance: 'terminated' | 'absent' | 'running' | 'unknown' | 'replaced') =>
    aPool([{}], { deadNodes: [{ id: 'n-9', instanceId: 'i-9', instance }] })
  for (const state of ['terminated', 'absent', 'replaced'] as const) {
    const first = decide(dead(state))
    t.same(first.kinds, [], 'one proof is none')
    const again = { view: dead(state).view, memory: first.memory }
    t.same(decide(again, aPolicy(), NOW + 31_000).kinds, ['purge'], state)
  }
  for (const state of ['running', 'unknown'] as const) {
    const first = decide(dead(state))
    const again = { view: dead(state).view, memory: first.memory }
    t.same(decide(again, aPolicy(), NOW + 31_000).kinds, [], state)
  }
})

t.test(
  'hooks that AWS does not tell a new controller are those that the last one knew',
  async (t) => {
    const pool = aPool([{ state: 'waiting', slices: 1 }])
    const known = decide(pool)
    const taken = { ...pool, memory: known.memory, view: { ...pool.view, hooks: null } }
    const { hooks, alarms } = decide(taken)
    t.match(hooks, [{ instanceId: 'i-0', hook: HOOK.name }])
    t.same(alarms, [])
    const gone = decide({ ...taken, view: { ...pool.view, hooks: [] } })
    t.same(gone.memory.hooks, [], 'what is told counts')
  },
)
