/** What is beaten for before Nomad has answered. */
import t from 'tap'
import { hooksToBeatFor } from '../../src/fleet/early-beats.ts'
import { aPool, HOOK, MINUTE, NOW, type UnitOptions } from './support/views.ts'

function toBeatFor(unit: UnitOptions, hooks = [HOOK]) {
  const { view, memory } = aPool([unit, {}])
  if (view.group === null) throw new Error('there is a group')
  const instances = view.units.map(({ member }) => member)
  return hooksToBeatFor({ ...view.group, instances }, hooks, memory, NOW)
}

t.test('a machine that waits is beaten for as soon as its group is read', async (t) => {
  const memory = { waitingSinceMs: NOW - MINUTE }
  t.match(toBeatFor({ state: 'waiting', memory }), [
    { instanceId: 'i-0', hook: HOOK.name, capAtMs: NOW - MINUTE + HOOK.capMs },
  ])
})

t.test('what is completed is not, nor what another hook holds', async (t) => {
  const memory = { completedMs: NOW, completedHook: HOOK.name }
  t.same(toBeatFor({ state: 'waiting', memory }), [])
  t.match(toBeatFor({ state: 'waiting', memory: { ...memory, completedHook: 'other' } }), [{}])
  const others = ['a', 'b'].map((name) => ({ ...HOOK, name }))
  t.same(toBeatFor({ state: 'waiting' }, others), [])
})

t.test('hooks that AWS does not tell are those that were known', async (t) => {
  const { view, memory } = aPool([{ state: 'waiting' }])
  if (view.group === null) throw new Error('there is a group')
  const group = { ...view.group, instances: view.units.map(({ member }) => member) }
  t.same(hooksToBeatFor(group, [], memory, NOW), [])
  memory.hooks = [HOOK]
  t.match(hooksToBeatFor(group, [], memory, NOW), [{ instanceId: 'i-0', hook: HOOK.name }])
})
