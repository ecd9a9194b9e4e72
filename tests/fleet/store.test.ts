/** What outlives the controller, and who may write it. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { openFleetStore, type FleetStore, type PoolWhy } from '../../src/fleet/index.ts'
import { Changes } from '../../src/fleet/changes.ts'
import { emptyMemory, newUnit, type PoolMemory, type UnitMemory } from '../../src/fleet/memory.ts'

const NOW = 1_700_000_000_000

async function aStore(t: Test): Promise<{ store: FleetStore; file: string }> {
  const file = join(t.testdir(), 'fleet.db')
  const store = await openFleetStore(file)
  t.teardown(() => store.close())
  return { store, file }
}

const why = (pool: string, about = 'i-1'): PoolWhy => ({
  pool,
  desired: 1,
  target: 1,
  min: 0,
  max: 5,
  demand: {},
  ledger: {},
  notes: [],
  actions: [{ kind: 'cordon', about, reason: 'idle' }],
})

t.test('F54: a lease is taken, renewed, lost, and never written with again', async (t) => {
  const { store } = await aStore(t)
  t.equal(store.readLease(), null)
  const one = store.takeLease('one', NOW, 1000)
  t.match(one, { fence: 1, untilMs: NOW + 1000 })
  t.equal(store.takeLease('two', NOW + 999, 1000), null)
  t.match(store.takeLease('one', NOW + 999, 1000), { fence: 1, untilMs: NOW + 1999 })
  t.match(store.takeLease('two', NOW + 2000, 1000), { holder: 'two', fence: 2 })
  t.throws(() => store.commitTick(one!, { atMs: NOW, memory: [], intents: [], why: [why('a')] }), {
    code: 'FLEET_LEASED',
  })
  t.same(store.readTicks({ limit: 10 }), [], 'nothing of it is kept')
  store.releaseLease(one!)
  t.equal(store.readLease()?.untilMs, NOW + 3000, 'an old lease ends no newer one')
})

t.test('F26: what was begun is known to the next process', async (t) => {
  const { store, file } = await aStore(t)
  const lease = store.takeLease('one', NOW, 1000)!
  const intent = {
    kind: 'set_desired' as const,
    pool: 'a',
    group: 'g',
    desired: 3,
    reason: 'r',
  }
  const memory = { ...emptyMemory('a'), seenDesired: 7 }
  const intents = [{ id: 'x', fence: lease.fence, atMs: NOW, intent }]
  const changed = new Changes().of(memory)
  store.commitTick(lease, { atMs: NOW, memory: [changed!], intents, why: [why('a')] })
  const other = await openFleetStore(file)
  t.teardown(() => other.close())
  t.same(other.openIntents(), intents)
  t.same(other.loadMemory().get('a'), memory)
  const next = other.takeLease('two', NOW + 5000, 1000)!
  other.endIntent(next, 'x', 'done', NOW + 5000)
  t.same(store.openIntents(), [])
})

t.test('of a memory only what changed is written, and all of it is read', async (t) => {
  const { store, file } = await aStore(t)
  const lease = store.takeLease('one', NOW, 1000)!
  const changes = new Changes()
  const memory: PoolMemory = {
    ...emptyMemory('a'),
    units: { 'i-1': newUnit(NOW), 'i-2': newUnit(NOW), 'i-3': newUnit(NOW) },
  }
  const write = () => {
    const change = changes.of(memory)
    if (change === null) return null
    store.commitTick(lease, { atMs: NOW, memory: [change], intents: [], why: [] })
    changes.keep(change)
    return change
  }
  t.match(write(), { isWhole: true, facts: { pool: 'a' } })
  t.equal(write(), null, 'nothing changed')
  const { 'i-1': one, 'i-2': two } = memory.units
  one!.cordon = { reason: 'idle', askedMs: NOW, seenMs: null }
  t.strictSame([...write()!.units.keys()], ['i-1'])
  one!.cordon.seenMs = NOW + 1
  t.match(write(), { isWhole: false, facts: null })
  two!.isReported = true
  delete memory.units['i-1']
  memory.units['i-4'] = newUnit(NOW + 1)
  t.strictSame([...write()!.units.keys()], ['i-2', 'i-4', 'i-1'], 'one of them is forgotten')
  memory.seenDesired = 9
  t.match(write(), { facts: { seenDesired: 9 }, units: new Map() })
  t.same(store.loadMemory(), new Map([['a', memory]]))

  changes.clear()
  delete memory.units['i-3']
  t.match(write(), { isWhole: true })
  const other = await openFleetStore(file)
  t.teardown(() => other.close())
  t.same(other.loadMemory(), new Map([['a', memory]]), 'what is not in the whole is gone')
})

t.test('no field of a unit changes unseen', async (t) => {
  const cordon = { reason: 'idle' as const, askedMs: NOW, seenMs: null }
  const before = { ...newUnit(NOW), cordon }
  const over = (fields: object) => ({ ...before, ...fields }) as UnitMemory
  const others = [
    ...Object.keys(before).map((field) => over({ [field]: 'another value' })),
    ...Object.keys(cordon).map((field) => over({ cordon: { ...cordon, [field]: 1 } })),
  ].filter((unit) => JSON.stringify(unit) !== JSON.stringify(before))
  t.equal(others.length, Object.keys(before).length + Object.keys(cordon).length)
  for (const unit of others) {
    const changes = new Changes()
    changes.keep(changes.of({ ...emptyMemory('a'), units: { 'i-1': before } })!)
    const change = changes.of({ ...emptyMemory('a'), units: { 'i-1': unit } })
    t.strictSame(change?.units, new Map([['i-1', unit]]))
  }
})

t.test('a memory that an older version wrote in one piece is read, and then kept in rows', async (t) => {
  const { store, file } = await aStore(t)
  const memory = { ...emptyMemory('a'), units: { 'i-1': newUnit(NOW), 'i-2': newUnit(NOW + 1) } }
  const database = new DatabaseSync(file)
  t.teardown(() => database.close())
  const insert = database.prepare('INSERT INTO memory (pool, json) VALUES (?, ?)')
  insert.run('a', JSON.stringify(memory))
  t.same(store.loadMemory(), new Map([['a', memory]]))
  const lease = store.takeLease('one', NOW, 1000)!
  const change = new Changes().of({ ...memory, units: { 'i-2': newUnit(NOW + 1) } })
  store.commitTick(lease, { atMs: NOW, memory: [change!], intents: [], why: [] })
  t.same(Object.keys(store.loadMemory().get('a')?.units ?? {}), ['i-2'])
})

t.test('reasons are found by time, and by what they are about', async (t) => {
  const { store } = await aStore(t)
  const lease = store.takeLease('one', NOW, 1000)!
  for (let at = 0; at < 5; at++) {
    const tick = { atMs: NOW + at * 1000, memory: [], intents: [], why: [why('a', `i-${at}`)] }
    store.commitTick(lease, tick)
  }
  t.match(store.readTicks({ atMs: NOW + 2500, limit: 1 }), [{ atMs: NOW + 2000 }])
  t.match(store.readTicks({ about: 'i-3', limit: 10 }), [
    { atMs: NOW + 3000, why: [{ pool: 'a' }] },
  ])
  t.equal(store.readTicks({ limit: 3 }).length, 3)
})

t.test('orders of people end by themselves', async (t) => {
  const { store } = await aStore(t)
  store.pin('n-1', NOW + 1000, NOW)
  store.orderSize('a', 5, NOW + 1000, NOW)
  t.same(store.readOrders(NOW), {
    pins: new Map([['n-1', NOW + 1000]]),
    sizes: new Map([['a', { size: 5, untilMs: NOW + 1000 }]]),
  })
  t.same(store.readOrders(NOW + 1000), { pins: new Map(), sizes: new Map() })
  t.equal(store.unpin('n-1'), true)
  t.equal(store.unpin('n-1'), false)
})

t.test('a file that is no store, or that nobody may write, is told', async (t) => {
  const folder = t.testdir({ 'fleet.db': 'this is no database, and long enough to be looked at' })
  await t.rejects(openFleetStore(join(folder, 'fleet.db')), { code: 'STORE_FAILED' })
  await t.rejects(openFleetStore(join(folder, 'nowhere/fleet.db')), { code: 'STORE_FAILED' })
})
