/** What outlives the controller, and who may write it. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { openFleetStore, type FleetStore, type PoolWhy } from '../../src/fleet/index.ts'
import { emptyMemory, newUnit, type PoolMemory, type UnitMemory } from '../../src/fleet/memory.ts'
import type { Lease } from '../../src/fleet/ports.ts'
import { MIGRATIONS } from '../../src/fleet/store/schema.ts'

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
  store.commitTick(lease, { atMs: NOW, memory: [memory], intents, why: [why('a')] })
  const other = await openFleetStore(file)
  t.teardown(() => other.close())
  t.same(other.openIntents(), intents)
  t.same(other.loadMemory().get('a'), memory)
  const next = other.takeLease('two', NOW + 5000, 1000)!
  other.endIntent(next, 'x', 'done', NOW + 5000)
  t.same(store.openIntents(), [])
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

t.test('of what is remembered, only what changed is written', async (t) => {
  const { store, file } = await aStore(t)
  const lease = store.takeLease('one', NOW, 1000)!
  const commit = (by: Lease, units: PoolMemory['units'], over: Partial<PoolMemory> = {}) => {
    const memory = [{ ...emptyMemory('a'), ...over, units }]
    store.commitTick(by, { atMs: NOW, memory, intents: [], why: [] })
  }
  const rows = () => {
    const other = new DatabaseSync(file)
    const all = other.prepare('SELECT instance, json FROM units ORDER BY instance').all()
    // Whoever writes a row that did not change writes over this.
    other.exec(`UPDATE units SET json = json_set(json, '$.state', 'not written')`)
    other.close()
    return all.map(({ instance, json }) => {
      return `${String(instance)} ${(JSON.parse(String(json)) as UnitMemory).state}`
    })
  }
  const busy = { ...newUnit(NOW), state: 'busy' }
  const units = new Map([
    ['i-1', busy],
    ['i-2', busy],
    ['i-3', busy],
  ])
  commit(lease, units)
  t.same(rows(), ['i-1 busy', 'i-2 busy', 'i-3 busy'])
  const next = new Map(units).set('i-2', { ...busy, state: 'idle' })
  next.delete('i-3')
  commit(lease, next)
  t.same(rows(), ['i-1 not written', 'i-2 idle'])
  commit(lease, next, { seenDesired: 2 })
  t.same(rows(), ['i-1 not written', 'i-2 not written'])
  t.equal(store.loadMemory().get('a')?.seenDesired, 2)
  const newer = store.takeLease('two', NOW + 5000, 1000)!
  t.throws(() => commit(lease, units), { code: 'FLEET_LEASED' })
  t.same(rows(), ['i-1 not written', 'i-2 not written'])
  commit(newer, next, { seenDesired: 2 })
  t.same(rows(), ['i-1 busy', 'i-2 idle'], 'another one has been there: all is written')
})

t.test('a file of the first version is read, with all that is remembered in it', async (t) => {
  const file = join(t.testdir(), 'fleet.db')
  const old = new DatabaseSync(file)
  const units = { 'i-1': { ...newUnit(NOW), state: 'busy' }, 'i-2': newUnit(NOW) }
  old.exec(MIGRATIONS[0] ?? '')
  old.exec('PRAGMA user_version = 1')
  old
    .prepare('INSERT INTO memory (pool, json) VALUES (?, ?)')
    .run('a', JSON.stringify({ ...emptyMemory('a'), seenDesired: 7, units }))
  old.close()
  const store = await openFleetStore(file)
  t.teardown(() => store.close())
  t.same(store.loadMemory().get('a'), {
    ...emptyMemory('a'),
    seenDesired: 7,
    units: new Map(Object.entries(units)),
  })
})
