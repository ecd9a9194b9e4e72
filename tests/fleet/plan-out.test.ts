/** More machines: what the plan asks for, row by row of what has gone wrong elsewhere. */
import t from 'tap'
import { plan } from '../../src/fleet/plan/plan.ts'
import {
  aPolicy,
  aPool,
  HOOK,
  MEDIUM,
  MINUTE,
  NOW,
  SHAPE,
  waitingSlices,
  type Pool,
} from './support/views.ts'

function decide({ view, memory }: Pool, policy = aPolicy(), nowMs = NOW) {
  const decided = plan(view, policy, memory, nowMs)
  const kinds = decided.intents.map(({ kind }) => kind)
  const desired = decided.intents.find((each) => each.kind === 'set_desired')?.desired ?? null
  return { ...decided, kinds, desired }
}

t.test('slices without a place are packed, from no machine at all', async (t) => {
  t.equal(decide(aPool([], { demand: waitingSlices(5) })).desired, 3, 'two to a machine')
  t.equal(decide(aPool([], { demand: waitingSlices(0) })).desired, null)
  t.equal(decide(aPool([], { demand: waitingSlices(1000) })).desired, 20, 'the maximum')
})

t.test('classes of different shapes share machines', async (t) => {
  const classes = [
    {
      name: 'wide',
      pool: 'linux',
      need: { cpuMhz: 12_000, memoryMiB: 1024 },
      waiting: 2,
      oldestMs: 0,
    },
    {
      name: 'deep',
      pool: 'linux',
      need: { cpuMhz: 1000, memoryMiB: 50_000 },
      waiting: 2,
      oldestMs: 0,
    },
  ]
  t.equal(decide(aPool([], { demand: { classes, atMs: NOW } })).desired, 2)
})

t.test('a slice that no machine can ever hold is told, and never counted', async (t) => {
  const demand = waitingSlices(3, { cpuMhz: SHAPE.cpuMhz + 1, memoryMiB: 1 })
  const { desired, alarms } = decide(aPool([], { demand }))
  t.equal(desired, null)
  t.match(alarms, [
    {
      key: 'impossible',
      text: /can ever hold 3 slices of medium \(14.001 vCPU and 1 MiB\): one has 14 vCPU/,
    },
  ])
})

t.test('what is free, cordoned, booting or asked for is counted before anything new', async (t) => {
  const demand = waitingSlices(4)
  t.equal(decide(aPool([{}, {}], { demand })).desired, null, 'free')
  const cordoned = decide(aPool([{}, { state: 'cordoned' }], { demand }))
  t.equal(cordoned.desired, null)
  t.same(cordoned.kinds, ['uncordon'], 'taken back')
  t.equal(decide(aPool([{}, { state: 'booting' }], { demand })).desired, null, 'booting')
  t.equal(decide(aPool([{}], { demand, group: { desired: 2 } })).desired, null, 'asked for')
  t.equal(decide(aPool([{}, { state: 'held' }], { demand })).desired, 3, 'held by somebody is none')
})

t.test('F58: a size that was asked for counts while the lists do not show it', async (t) => {
  const pool = aPool([{}], { demand: waitingSlices(6) })
  pool.memory.asked = { desired: 3, atMs: NOW - 5000 }
  t.equal(decide(pool).desired, null)
  pool.memory.asked.atMs = NOW - 5 * MINUTE
  t.equal(decide(pool).desired, 3, 'not for ever')
})

t.test('F82: work of a machine that goes is not new demand as long as it runs', async (t) => {
  const units = [
    { state: 'waiting', slices: 2 },
    { state: 'busy', slices: 2 },
  ] as const
  t.equal(decide(aPool(units, { demand: waitingSlices(0) })).desired, null)
})

t.test('F86, F87: drains neither count as supply nor hold up more machines', async (t) => {
  const waiting = Array.from({ length: 8 }, () => ({ state: 'waiting', slices: 1 }) as const)
  const { desired, kinds } = decide(aPool(waiting, { demand: waitingSlices(6) }))
  t.equal(desired, 3)
  t.notOk(kinds.includes('terminate'))
})

t.test('slices that end before a machine could boot give their room', async (t) => {
  const busy = { state: 'busy', slices: 2, remainingMs: 30_000 } as const
  const pool = aPool([busy], { demand: waitingSlices(2) })
  pool.memory.bootsMs = [3 * MINUTE]
  t.equal(decide(pool).desired, null)
  pool.memory.bootsMs = [10_000]
  t.equal(decide(pool).desired, 2, 'a new one would be there before')
})

t.test('floors: minimum, schedule in its zone, an order, and weeks before', async (t) => {
  t.equal(decide(aPool([]), aPolicy({ min: 2 })).desired, 2)
  const schedules = [
    { name: 'work', cron: '0 7 * * 1-5', zone: 'Europe/Berlin', forMs: 12 * 60 * MINUTE, floor: 5 },
  ]
  const at = (iso: string) => decide(aPool([]), aPolicy({ schedules }), Date.parse(iso)).desired
  t.equal(at('2026-07-01T05:30:00Z'), 5, 'half past seven in summer')
  t.equal(at('2026-07-01T04:59:00Z'), null)
  t.equal(at('2026-12-01T05:30:00Z'), null, 'half past six in winter')
  t.equal(at('2026-07-01T17:30:00Z'), null, 'over')
  t.equal(at('2026-07-04T08:00:00Z'), null, 'Saturday')
  t.equal(decide(aPool([], { orderedSize: 4 })).desired, 4)
  t.equal(decide(aPool([], { orderedSize: 40 })).desired, 20, 'never above the maximum')
  const week = 7 * 24 * 60 * MINUTE
  const pool = aPool([])
  const period = Math.floor(NOW / (30 * MINUTE)) * 30 * MINUTE
  pool.memory.needed = [3, 2, 1].map((ago) => ({ atMs: period - ago * week, units: 10 }))
  t.equal(decide(pool).desired, 2, 'approached in steps of a tenth of the maximum')
})

t.test('min and max of the group bind as well', async (t) => {
  const demand = waitingSlices(100)
  t.equal(decide(aPool([], { demand, group: { max: 3 } })).desired, 3)
  t.equal(decide(aPool([{}], { group: { min: 2, desired: 1 } })).desired, 2)
})

t.test('F68: a group that is above its maximum is not made smaller by its size', async (t) => {
  const units = Array.from({ length: 5 }, () => ({ state: 'busy', slices: 2 }) as const)
  const { kinds } = decide(
    aPool(units, { group: { max: 4, desired: 5 }, demand: waitingSlices(9) }),
  )
  t.notOk(kinds.includes('set_desired'))
})

t.test('F43, F69: launches that fail are classified, and asked for again later', async (t) => {
  const failed = (message: string) => ({
    id: 'a',
    status: 'Failed',
    message,
    cause: '',
    startedMs: NOW - 1000,
    endedMs: NOW,
    description: 'Launching a new EC2 instance.',
  })
  const cases: [string, string][] = [
    ['We currently do not have sufficient m5.large capacity', 'capacity'],
    ['You have requested more vCPU capacity than your current vCPU limit', 'quota'],
    ['You have requested more instances than your current instance limit of 20 allows', 'quota'],
    ['The specified launch template, with template ID lt-1, does not exist.', 'template'],
    ['You are not authorized to perform this operation.', 'permission'],
    ['Something new', 'other'],
  ]
  for (const [message, kind] of cases) {
    const activities = [failed(message)]
    const pool = aPool([], { demand: waitingSlices(5), activities })
    const { desired, memory, why } = decide(pool)
    t.equal(desired, null, kind)
    t.match(Object.keys(memory.backoff), [kind])
    t.match(why.notes.join('\n'), new RegExp(`launches fail \\(${kind}\\)`))
    const later = decide({ ...pool, memory }, aPolicy(), NOW + 30 * MINUTE)
    t.equal(later.desired, 3, 'asked for again')
    t.same(later.memory.backoff, memory.backoff, 'the same failure is not counted twice')
  }
  const suspended = aPool([], { demand: waitingSlices(5), group: { suspended: ['Launch'] } })
  t.match(decide(suspended).alarms, [{ key: 'launch suspended' }])
  t.equal(decide(suspended).desired, null)
})

t.test('a group that is not there, or being deleted, is left alone', async (t) => {
  const pool = aPool([{}], { demand: waitingSlices(9) })
  pool.view.group = null
  t.match(decide(pool), { intents: [], alarms: [{ key: 'no group' }] })
  t.same(decide(pool).memory, pool.memory, 'nothing is forgotten')
  const leaving = aPool([{}], { demand: waitingSlices(9), group: { status: 'Delete in progress' } })
  t.same(decide(leaving).kinds, [])
})

t.test('without Nomad nothing is decided but on hooks', async (t) => {
  const pool = aPool([{ state: 'waiting' }, {}], { demand: waitingSlices(9), isNomadKnown: false })
  const { kinds, hooks } = decide(pool)
  t.same(kinds, [])
  t.match(hooks, [{ instanceId: 'i-0', hook: HOOK.name }])
})

t.test('the plan changes nothing that it is given, and is the same each time', async (t) => {
  const pool = aPool([{ idleMs: 20 * MINUTE }, { state: 'busy' }, { state: 'cordoned' }], {
    demand: waitingSlices(1, MEDIUM),
  })
  const before = structuredClone(pool)
  const [one, two] = [decide(pool), decide(pool)]
  t.same(one, two)
  t.same(pool, before)
})
