/** The last look before what can not be taken back. */
import t from 'tap'
import { carryOut } from '../../src/fleet/actor.ts'
import type { FleetGroups } from '../../src/fleet/index.ts'
import type { Intent } from '../../src/fleet/intents.ts'
import { silentLog, TestClock, type AwsGroup } from '../../src/platform/index.ts'
import { FakeNomad } from './support/nomad.ts'
import { aPool, type UnitOptions } from './support/views.ts'

const refused = async (): Promise<never> => {
  throw new Error('not in this test')
}

function start(unit: UnitOptions, over: Partial<AwsGroup> = {}) {
  const { group } = aPool([unit], { group: over }).view
  const calls: string[] = []
  const aws: FleetGroups = {
    region: 'us-east-1',
    readGroups: async () => (group === null ? [] : [group]),
    isRefreshing: async () => false,
    async completeAction({ instanceId }, result) {
      calls.push(`${result} ${instanceId}`)
      return 'done'
    },
    async terminateInGroup(instanceId, decrement) {
      calls.push(`terminate ${instanceId} ${decrement}`)
      return { kind: 'terminating', activity: null }
    },
    readMembers: refused,
    readHooks: refused,
    readActivities: refused,
    setDesired: refused,
    setProtection: refused,
    heartbeat: refused,
    readInstances: refused,
    findInstances: refused,
    terminateInstance: refused,
    readTemplateVersion: refused,
  }
  const nomad = new FakeNomad(new TestClock())
  const node = nomad.add({ instanceId: 'i-0' })
  const act = (intent: Intent) => {
    const deps = { awsOf: () => aws, nomad, now: () => 0, log: silentLog }
    return carryOut(intent, deps, new AbortController().signal)
  }
  return { act, nomad, node, calls }
}

const about = { pool: 'linux', group: 'clients', instanceId: 'i-0' }
const decrement = { decrement: true, sizeAfter: 0 }
const terminate = { kind: 'terminate', ...about, ...decrement, reason: 'idle' } as const

t.test('F20: what runs unseen holds up the call that would end it', async (t) => {
  const member = { lifecycle: 'Terminating:Retained' }
  const steps: [UnitOptions, (nodeId: string) => Intent, string][] = [
    [
      { state: 'waiting' },
      (nodeId) => ({ kind: 'complete', ...about, hook: 'drain', nodeId, reason: '' }),
      'CONTINUE i-0',
    ],
    [{ state: 'cordoned' }, (nodeId) => ({ ...terminate, nodeId }), 'terminate i-0 true'],
    [
      { state: 'waiting', member },
      (nodeId) => ({ kind: 'end_retained', ...about, nodeId }),
      'terminate i-0 false',
    ],
  ]
  for (const [unit, toIntent, call] of steps) {
    const { act, nomad, node, calls } = start(unit)
    const intent = toIntent(node.ID)
    nomad.hidden.add('secret')
    const { ID } = nomad.run(node, 'deploy', { namespace: 'secret' })
    t.match(await act(intent), { kind: 'refused', text: 'its node is eligible' })
    await nomad.setEligibility(node.ID, 'ineligible')
    t.match(await act(intent), { kind: 'refused', text: /does not call its drain complete/ })
    await nomad.drainNode(node.ID, { deadlineMs: null, ignoreSystemJobs: true })
    t.match(await act(intent), { kind: 'refused', text: /does not call its drain complete/ })
    nomad.finish(ID)
    t.match(await act(intent), { kind: 'done' })
    t.same(calls, [call])
  }
})

t.test('F5: a machine is handed to its group only while the group would keep it', async (t) => {
  const intent = { kind: 'abandon', ...about, hook: 'drain', to: 'retain' } as const
  const off = start({ state: 'waiting' })
  t.match(await off.act(intent), { kind: 'refused', text: /does not retain it any more/ })
  t.same(off.calls, [], 'it would be ended, and its slices with it')
  const over = start({ member: { lifecycle: 'Terminating:Proceed' } }, { retains: true })
  t.match(await over.act(intent), { kind: 'refused', text: 'it is Terminating:Proceed' })
  const on = start({ state: 'waiting' }, { retains: true })
  t.match(await on.act(intent), { kind: 'done', text: 'abandoned' })
  t.same(on.calls, ['ABANDON i-0'])
})

t.test('F13: a launch is given up only while it waits', async (t) => {
  const intent = { kind: 'abandon', ...about, hook: 'caravan-launch', to: 'replace' } as const
  const late = start({ state: 'idle' })
  t.match(await late.act(intent), { kind: 'refused', text: 'it is InService' })
  const waiting = start({ member: { lifecycle: 'Pending:Wait' } })
  t.match(await waiting.act(intent), { kind: 'done' })
  t.same(waiting.calls, ['ABANDON i-0'])
})

t.test('F41: who finds the size taken down by somebody else takes nothing more', async (t) => {
  const tryAt = async (desired: number, more: { decrement?: boolean } = {}) => {
    const { act, calls } = start({ state: 'booting' }, { desired, min: 0 })
    return { ...(await act({ ...terminate, nodeId: null, sizeAfter: 2, ...more })), calls }
  }
  t.match(await tryAt(3), { kind: 'done', calls: ['terminate i-0 true'] })
  t.match(await tryAt(2), { kind: 'refused', text: /^the size is 2 already/, calls: [] })
  t.match(await tryAt(2, { decrement: false }), { kind: 'done', calls: ['terminate i-0 false'] })
})
