/** Launches that wait for us. */
import t from 'tap'
import { plan } from '../../src/fleet/plan/plan.ts'
import type { AwsHook } from '../../src/platform/index.ts'
import { aPolicy, aPool, HOOK, MINUTE, NOW, type Pool, type UnitOptions } from './support/views.ts'

function decide({ view, memory }: Pool, min = 0) {
  const decided = plan(view, aPolicy({ min }), memory, NOW)
  return { ...decided, kinds: decided.intents.map(({ kind }) => kind) }
}

const LAUNCH: AwsHook = {
  name: 'caravan-launch',
  transition: 'launching',
  defaultResult: 'ABANDON',
  timeoutMs: 5 * MINUTE,
  capMs: 500 * MINUTE,
}
const ours = { hooks: [HOOK, LAUNCH] }

const launching = (more: UnitOptions = {}): UnitOptions => ({
  ...more,
  member: { lifecycle: 'Pending:Wait' },
})

t.test(
  'F13: a machine that boots is held in our launching hook, and let in when its node is ready',
  async (t) => {
    const booting = decide(aPool([launching({ state: 'booting' })], ours))
    t.same(booting.kinds, [])
    t.match(booting.hooks, [
      { hook: 'caravan-launch', instanceId: 'i-0', timeoutMs: LAUNCH.timeoutMs },
    ])
    const ready = decide(aPool([launching()], ours))
    t.match(ready.intents, [{ kind: 'complete', hook: 'caravan-launch', instanceId: 'i-0' }])
    t.match(ready.hooks, [{}], 'the beats go on until it is done')
    const done = { completedMs: NOW - 1000, completedHook: LAUNCH.name }
    t.same(decide(aPool([launching({ memory: done })], ours)).kinds, [], 'a list that lags')
    const silent = aPool([launching({ state: 'booting' })], { ...ours, isNomadKnown: false })
    t.match(decide(silent).hooks, [{}], 'also while Nomad does not answer')
  },
)

t.test('F10: the launching hooks of others are theirs, also when there is no other', async (t) => {
  const theirs = { ...LAUNCH, name: 'install-caravan' }
  for (const hooks of [[HOOK, theirs], [HOOK], [HOOK, LAUNCH, { ...LAUNCH, name: 'caravan-2' }]]) {
    const decided = decide(aPool([launching()], { hooks }))
    t.same(decided.kinds, [])
    t.same(decided.hooks, [])
  }
  const both = decide(aPool([launching()], { hooks: [HOOK, theirs, LAUNCH] }))
  t.match(both.intents, [{ kind: 'complete', hook: 'caravan-launch' }])
})

t.test(
  'F13, F29: a machine whose node never comes is given up, a few at a time, ever more rarely',
  async (t) => {
    const never = launching({ state: 'booting', memory: { firstSeenMs: NOW - 30 * MINUTE } })
    const five = Array.from({ length: 5 }, () => never)
    const first = decide(aPool(five, ours), 5)
    t.same(first.kinds, ['abandon', 'abandon', 'abandon'])
    t.match(first.intents, [{ hook: 'caravan-launch', instanceId: 'i-0', to: 'replace' }, {}, {}])
    t.same(first.hooks, [], 'none of them is held any longer')
    t.match(first.memory.backoff, { never_registered: { failures: 1 } })
    const again = aPool([never], ours)
    again.memory.backoff = first.memory.backoff
    t.same(decide(again, 1).kinds, [], 'not before the next try is due')
    const alone = decide(aPool([never], { hooks: [HOOK] }), 1)
    t.match(alone.intents, [{ kind: 'terminate', decrement: false }], 'without a hook of ours')
    const spare = decide(aPool([never], ours))
    t.match(spare.intents, [{ kind: 'terminate', decrement: true }], 'what need not be replaced')
    const unknown = decide(aPool([never], { ...ours, unmatched: 1 }), 1)
    t.same(unknown.kinds, [], 'some node may be its own')
  },
)

t.test('F48: what is not in service yet is not protected, whatever runs on it', async (t) => {
  const busy = launching({ state: 'busy' })
  t.same(decide(aPool([busy], { hooks: [HOOK] })).kinds, [])
  t.same(decide(aPool([{ state: 'busy' }])).kinds, ['protect'])
})

t.test('F13: a launch that lapsed in its hook counts as one whose node never came', async (t) => {
  const message =
    "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token 1 was abandoned: "
  const lapsed = (how: string) => ({
    id: 'a',
    status: 'Cancelled',
    message: message + how,
    cause: '',
    description: 'Launching a new EC2 instance: i-7',
    startedMs: NOW - MINUTE,
    endedMs: NOW - 1000,
  })
  const timeout = decide(aPool([{}], { activities: [lapsed('Heartbeat Timeout')] }))
  t.match(timeout.memory.backoff, { never_registered: { failures: 1 } })
  const byUs = lapsed('Lifecycle Action Completed with ABANDON Result')
  t.same(decide(aPool([{}], { activities: [byUs] })).memory.backoff, {}, 'counted when it was done')
})
