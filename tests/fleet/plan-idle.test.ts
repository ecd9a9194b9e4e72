/** How long machines stay when nothing runs on them, and what is told of it. */
import t from 'tap'
import { plan } from '../../src/fleet/plan/plan.ts'
import { idleOff } from '../../src/fleet/plan/idle.ts'
import { emptyMemory } from '../../src/fleet/memory.ts'
import { aPolicy, aPool, MINUTE, NOW, SHAPE, waitingSlices, type Pool } from './support/views.ts'

function decide({ view, memory }: Pool, policy = aPolicy(), nowMs = NOW) {
  const fresh = { ...view, demand: view.demand && { ...view.demand, atMs: nowMs } }
  const decided = plan(fresh, policy, memory, nowMs)
  return {
    ...decided,
    kinds: decided.intents.map(({ kind }) => kind),
    text: decided.why.notes.join('\n'),
  }
}

t.test('what is declared is meant as it is, however long a boot takes', async (t) => {
  const memory = { ...emptyMemory('linux'), bootsMs: [8 * MINUTE] }
  t.equal(idleOff({ idleOffMs: 5 * MINUTE }, memory).ms, 5 * MINUTE)
})

t.test('left to itself, a pool waits for as long as two boots, within bounds', async (t) => {
  const after = (...bootsMs: number[]) =>
    idleOff({ idleOffMs: 'auto' }, { ...emptyMemory('linux'), bootsMs }).ms
  t.equal(after(), 10 * MINUTE, 'no boot was seen yet')
  t.equal(after(90_000), 3 * MINUTE)
  t.equal(after(90_000, 80_000, 20 * MINUTE), 3 * MINUTE, 'one odd boot changes nothing')
  t.equal(after(5000), 2 * MINUTE, 'the least')
  t.equal(after(40 * MINUTE), 20 * MINUTE, 'the most')
})

t.test('each step says how long idle machines stay, and by what', async (t) => {
  const pool = aPool([{ idleMs: 4 * MINUTE }, { idleMs: 2 * MINUTE }])
  t.match(decide(pool).text, '2 idle machines; each goes after 10m without a slice (idle_off)')
  pool.memory.bootsMs = [100_000]
  const auto = decide(pool, aPolicy({ idleOffMs: 'auto' }))
  t.match(auto.intents, [{ kind: 'cordon', instanceId: 'i-0', reason: 'idle' }])
  t.match(auto.text, 'each goes after 3m20s without a slice (idle_off is auto, and a machine boots')
  t.match(auto.why.actions, [
    { reason: 'without a slice for 4m; 3m20s are enough (idle_off is auto' },
  ])
  const kept = decide(pool, aPolicy({ min: 2, idleOffMs: MINUTE }))
  t.same(kept.kinds, [])
  t.match(kept.text, 'kept although idle for longer: 2 machines, since the pool keeps 2 by min')
})

t.test('F85: a machine that is half idle is not idle', async (t) => {
  const pool = aPool([{ state: 'busy', slices: 1, idleMs: 60 * MINUTE }])
  const first = decide(pool)
  t.notOk(first.kinds.includes('cordon'), 'seven of eight places were free for an hour')
  const [unit] = pool.view.units
  Object.assign(unit ?? {}, { live: [], placed: [] })
  const emptied = decide({ ...pool, memory: first.memory }, aPolicy(), NOW + 1000)
  t.notOk(emptied.kinds.includes('cordon'), 'its time begins with the end of the last slice')
  const later = decide({ ...pool, memory: emptied.memory }, aPolicy(), NOW + 11 * MINUTE)
  t.ok(later.kinds.includes('cordon'))
})

t.test(
  'F84: at a time that no schedule covers, nothing busy goes, and idle ones in time',
  async (t) => {
    const atNight = Date.parse('2026-07-01T03:00:00Z')
    const hour = 60 * MINUTE
    const schedules = [
      { name: 'day', cron: '0 7 * * *', zone: 'UTC', forMs: 12 * hour, floor: 9 },
      { name: 'evening', cron: '0 19 * * *', zone: 'UTC', forMs: 5 * hour, floor: 3 },
    ]
    const since = (ms: number) => ({ memory: { idleSinceMs: atNight - ms } })
    const pool = aPool([{ state: 'busy' }, since(2 * MINUTE), since(hour)])
    const policy = aPolicy({ schedules })
    const { intents, text } = decide(pool, policy, atNight)
    t.match(
      intents.filter(({ kind }) => kind === 'cordon'),
      [{ instanceId: 'i-2', reason: 'idle' }],
    )
    t.notMatch(text, 'schedule')
    const byDay = decide(pool, policy, Date.parse('2026-07-01T08:00:00Z'))
    t.equal(byDay.why.target, 9)
    t.notOk(byDay.kinds.includes('cordon'))
  },
)

t.test('F83: only slices hold a machine: classes that ask for nothing do not', async (t) => {
  const idle = [{ idleMs: 60 * MINUTE }]
  const demand = waitingSlices(0)
  const many = Array.from({ length: 50 }, (_, at) => {
    return { name: `class-${at}`, pool: 'linux', need: SHAPE, waiting: 0, oldestMs: 60 * MINUTE }
  })
  t.same(decide(aPool(idle, { demand })).kinds, ['cordon'])
  t.same(decide(aPool(idle, { demand: { classes: many, atMs: NOW } })).kinds, ['cordon'])
})

t.test('F93: what was begun under other settings is judged by the new ones', async (t) => {
  const cordoned = aPool([{ state: 'cordoned' }, { state: 'busy' }])
  t.match(decide(cordoned, aPolicy({ min: 1 })).kinds, ['terminate', 'protect'])
  t.match(decide(cordoned, aPolicy({ min: 2 })).kinds, ['uncordon', 'protect'])
  const going = decide(aPool([{ state: 'cordoned' }, {}, {}]), aPolicy({ min: 2 }))
  t.match(going.intents, [{ kind: 'terminate', decrement: true }])
  const shown = aPool([{ state: 'cordoned' }, {}, {}], { group: { desired: 2 } })
  const after = decide({ ...shown, memory: going.memory }, aPolicy({ min: 3 }), NOW + 1000)
  t.match(after.intents, [{ kind: 'set_desired', desired: 3 }], 'what can not be taken back counts')
  const smaller = decide(aPool([{ state: 'busy' }, {}, {}]), aPolicy({ max: 1 }))
  t.same(smaller.kinds, ['protect'], 'a smaller maximum ends nothing by itself')
})
