/** Machines that their group keeps at the end of their hook. */
import t from 'tap'
import { plan } from '../../src/fleet/plan/plan.ts'
import { aPolicy, aPool, HOOK, MINUTE, NOW, type Pool, type UnitOptions } from './support/views.ts'

function decide({ view, memory }: Pool, nowMs = NOW) {
  const decided = plan(view, aPolicy(), memory, nowMs)
  return { ...decided, kinds: decided.intents.map(({ kind }) => kind) }
}

const retains = { group: { retains: true } }
const waited = (waitedMs: number, more: UnitOptions = {}): UnitOptions => ({
  state: 'waiting',
  slices: 1,
  memory: { waitingSinceMs: NOW - waitedMs, drainedMs: NOW - waitedMs },
  ...more,
})

t.test(
  'F5: near the end of a hook a machine is handed to the group that retains it, with its slices',
  async (t) => {
    const early = decide(aPool([waited(HOOK.capMs - 60 * MINUTE)], retains))
    t.same(early.kinds, [])
    t.same(early.alarms, [], 'nobody has to do anything')
    const late = decide(aPool([waited(HOOK.capMs - 20 * MINUTE)], retains))
    t.match(late.intents, [{ kind: 'abandon', hook: HOOK.name, instanceId: 'i-0', to: 'retain' }])
    t.match(late.hooks, [{}], 'the beats go on until it is done')
    const hidden = { slices: 0, node: { isDraining: true, isDrained: false } }
    const unseen = decide(aPool([waited(HOOK.capMs - 20 * MINUTE, hidden)], retains))
    t.same(unseen.kinds, ['abandon'], 'also when only Nomad knows what runs there')
    const empty = decide(aPool([waited(HOOK.capMs - 20 * MINUTE, { slices: 0 })], retains))
    t.same(empty.kinds, ['complete'])
    const short = { ...retains, hooks: [{ ...HOOK, timeoutMs: 30_000, capMs: 50 * MINUTE }] }
    t.same(decide(aPool([waited(47 * MINUTE)], short)).kinds, [])
    t.same(decide(aPool([waited(49 * MINUTE)], short)).kinds, ['abandon'])
    t.same(decide(aPool([waited(HOOK.capMs - 20 * MINUTE)])).kinds, [], 'only where it retains')
  },
)

t.test(
  'F5, F76: a retained machine is ended when it is proven empty, and not before',
  async (t) => {
    const member = { lifecycle: 'Terminating:Retained' }
    const kept = (more: UnitOptions = {}) => waited(49 * 60 * MINUTE, { ...more, member })
    const busy = decide(aPool([kept()], retains))
    t.same(busy.kinds, [])
    t.same(busy.hooks, [], 'there is nothing to beat for')
    t.match(busy.why.notes.join(), /i-0 is retained: 1 allocations run/)
    const hidden = kept({ slices: 0, node: { isDraining: true, isDrained: false } })
    t.same(decide(aPool([hidden], retains)).kinds, [])
    const done = decide(aPool([kept({ slices: 0 })], retains))
    t.match(done.intents, [{ kind: 'end_retained', instanceId: 'i-0', nodeId: 'n-0' }])
    const asked = kept({ slices: 0 })
    const lagging = aPool([{ ...asked, memory: { ...asked.memory, endedMs: NOW - 1000 } }], retains)
    t.same(decide(lagging).kinds, [], 'a list that lags')
    t.same(decide(lagging, NOW + 2 * MINUTE).kinds, ['end_retained'])
    const pins = new Map([['i-0', NOW + MINUTE]])
    t.same(decide(aPool([asked], { ...retains, pins })).kinds, [], 'somebody looks at it')
  },
)

t.test('F5: one that nobody remembers is drained, and ended like any other', async (t) => {
  const unit = {
    node: { isEligible: true, isDrained: false },
    member: { lifecycle: 'Terminating:Retained' },
  }
  const found = decide(aPool([unit], retains))
  t.match(found.intents, [{ kind: 'drain', nodeId: 'n-0' }])
})
