import t from 'tap'
import { examineGroup } from '../../../src/fleet/doctor/index.ts'
import { judgeGroup, type GroupFacts } from '../../../src/fleet/doctor/judge.ts'
import { CaravanError } from '../../../src/model/index.ts'
import type { AwsGroup, AwsInstance } from '../../../src/platform/index.ts'
import { aHook } from '../support/scripted-aws.ts'

function aGroup(more: Partial<AwsGroup> = {}): AwsGroup {
  return {
    name: 'nomad-clients',
    min: 1,
    max: 10,
    desired: 3,
    instances: [],
    suspended: [],
    status: null,
    protectsNew: true,
    template: null,
    maxLifetimeMs: null,
    hasWarmPool: false,
    rebalances: false,
    retains: false,
    ...more,
  }
}

const HOUR = 3_600_000

const WELL: GroupFacts = {
  group: aGroup(),
  hooks: [aHook({ timeoutMs: 1_800_000 })],
  instances: [],
  longestMs: 5 * HOUR,
  hook: undefined,
}

/** The states of the findings that are not well, by check. */
function faults(facts: Partial<GroupFacts>): Record<string, string> {
  const found = judgeGroup({ ...WELL, ...facts }).filter(({ state }) => state !== 'ok')
  return Object.fromEntries(
    found.map(({ check, state }) => [check.replace('nomad-clients: ', ''), state]),
  )
}

t.test('a group that is set up well has nothing to fault', (t) => {
  t.same(faults({}), {})
  t.end()
})

t.test('F12: a group without a hook of ours ends builds', (t) => {
  t.match(faults({ hooks: [] }), { 'terminating hook': 'failed' })
  t.match(faults({ hooks: [aHook({ name: 'a' }), aHook({ name: 'b' })] }), {
    'terminating hook': 'failed',
  })
  const two = [aHook({ name: 'a', timeoutMs: 1_800_000 }), aHook({ name: 'b' })]
  t.same(faults({ hooks: two, hook: 'a' }), {})
  t.end()
})

t.test('F4, F5: a hook that can not wait for the longest slice is a fault', (t) => {
  // 100 times 30 s are 50 minutes.
  t.match(faults({ hooks: [aHook({ timeoutMs: 30_000 })] }), { 'hook time': 'failed' })
  t.match(faults({ hooks: [aHook({ timeoutMs: 200_000 })] }), { 'hook time': 'warning' })
  t.match(faults({ longestMs: 50 * HOUR }), { 'hook time': 'failed' }, 'nothing waits 50 hours')
  const kept = { longestMs: 50 * HOUR, group: aGroup({ retains: true }) }
  t.same(faults(kept), {}, 'but a group that retains the instance')
  const [finding] = judgeGroup({ ...WELL, hooks: [aHook()] }).filter(
    ({ state }) => state === 'failed',
  )
  t.match(finding?.detail, /a slice may run 5 h.*at least 180 s/)
  t.end()
})

t.test('F41, F42, F43, F70: sizes, processes and lifetimes that are in the way are told', (t) => {
  t.same(faults({ group: aGroup({ max: 0, min: 0, desired: 0 }) }), { sizes: 'failed' })
  t.same(faults({ group: aGroup({ min: 10 }) }), { sizes: 'warning' })
  t.same(faults({ group: aGroup({ desired: 10 }) }), { sizes: 'warning' })
  t.same(faults({ group: aGroup({ suspended: ['Terminate'] }) }), { processes: 'failed' })
  t.same(faults({ group: aGroup({ suspended: ['Launch'] }) }), { processes: 'failed' })
  t.same(faults({ group: aGroup({ suspended: ['AZRebalance'] }) }), {})
  t.same(faults({ group: aGroup({ status: 'Delete in progress' }) }), { processes: 'failed' })
  t.same(faults({ group: aGroup({ maxLifetimeMs: 24 * HOUR }) }), { lifetime: 'warning' })
  t.same(faults({ group: aGroup({ hasWarmPool: true }) }), { lifetime: 'warning' })
  t.same(faults({ group: aGroup({ protectsNew: false }) }), { protection: 'warning' })
  t.end()
})

t.test('results of hooks and metadata that any build can read are told', (t) => {
  const abandoning = aHook({ defaultResult: 'ABANDON', timeoutMs: 1_800_000 })
  t.same(faults({ hooks: [abandoning] }), {}, 'of one hook both results end the instance')
  t.same(faults({ hooks: [abandoning, aHook({ name: 'logs' })] }), { 'default result': 'warning' })
  const launching = aHook({ name: 'boot', transition: 'launching', defaultResult: 'ABANDON' })
  t.same(faults({ hooks: [...WELL.hooks, launching] }), { 'launching hook': 'warning' })
  const ours = { ...launching, name: 'caravan-launch' }
  t.same(faults({ hooks: [...WELL.hooks, ours] }), {})
  t.same(faults({ hooks: [...WELL.hooks, ours, launching] }), { 'launching hook': 'warning' })
  const second = { ...ours, name: 'caravan-boot' }
  t.same(faults({ hooks: [...WELL.hooks, ours, second] }), { 'launching hook': 'failed' })
  const instance = { requiresTokens: true, hopLimit: 1 } as AwsInstance
  t.same(faults({ instances: [instance] }), {})
  t.same(faults({ instances: [instance, { ...instance, hopLimit: 2 }] }), { metadata: 'warning' })
  t.same(faults({ instances: [{ ...instance, requiresTokens: false }] }), { metadata: 'warning' })
  t.end()
})

t.test('each permission is tried on an instance that nobody has', async (t) => {
  const asked: unknown[] = []
  const refusal = new CaravanError('AWS_FORBIDDEN', 'could not complete: AccessDenied', {
    detail: { problem: 'forbidden' },
  })
  const aws = {
    readGroups: async () => [aGroup()],
    readHooks: async () => [...WELL.hooks],
    readMembers: async (ids: readonly string[]) => (asked.push(ids), []),
    readActivities: async () => [],
    readInstances: async () => [],
    heartbeat: async (action: object) => (asked.push(action), 'no_action' as const),
    completeAction: () => Promise.reject(refusal),
    terminateInGroup: async (id: string) => (asked.push(id), { kind: 'gone' as const }),
    setProtection: async (_group: string, ids: readonly string[]) => (asked.push(ids), [...ids]),
  }
  const question = { group: 'nomad-clients', hook: undefined, longestMs: HOUR, isController: true }
  const failed = (await examineGroup(aws, question)).filter(({ state }) => state === 'failed')
  t.match(failed, [{ check: 'nomad-clients: CompleteLifecycleAction', detail: /^not allowed: / }])
  t.equal(failed.length, 1)
  t.ok(asked.length >= 4)
  t.notMatch(JSON.stringify(asked), /i-0*[1-9a-f]/, 'of no real instance')
  const gone = await examineGroup({ ...aws, readGroups: async () => [] }, question)
  t.match(gone, [{ state: 'failed', detail: /no such group/ }])
})
