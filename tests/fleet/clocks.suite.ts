/** Schedules, summer time, and clocks that differ or jump. On a virtual clock. */
import t from 'tap'
import { TestClock } from '../../src/platform/index.ts'
import {
  busyCluster,
  closings,
  endByHand,
  lost,
  MINUTE,
  SECOND,
  sizes,
  untilGone,
  withCluster,
} from './support/situations.ts'

t.test('F84: when no schedule fits, idle machines go, and a busy one never', async (t) => {
  const evening = { name: 'evening', cron: '0 22 * * *', zone: 'UTC', forMs: 5 * MINUTE, floor: 2 }
  const cluster = await withCluster(t, {
    policy: { schedules: [evening], idleOffMs: 30 * SECOND },
    bootMs: 20 * SECOND,
    clock: new TestClock(Date.parse('2026-03-10T22:00:00Z')),
  })
  cluster.start()
  cluster.queue.add(2, 15 * MINUTE)
  await cluster.until('the floor is there', () => cluster.eligible() === 2, 2 * MINUTE)
  await cluster.pass(3 * MINUTE)
  t.equal(cluster.group.desired, 2)
  await cluster.pass(3 * MINUTE)
  t.equal(cluster.group.desired, 1, 'the idle one')
  await cluster.until('all have run', () => cluster.queue.done === 2, 15 * MINUTE)
  t.equal(cluster.group.desired, 1)
  await untilGone(cluster, 3 * MINUTE)
  t.equal(lost(cluster), 0)
})

t.test(
  'F89: clocks that differ by minutes, and jump, neither lose a hook nor end a slice',
  async (t) => {
    for (const minutes of [-10, 10]) {
      const cluster = await busyCluster(t, 2, 6 * MINUTE, {
        policy: { idleOffMs: 30 * SECOND, maxAgeMs: 24 * 60 * MINUTE },
        hook: { timeoutS: 30 },
        aws: { skewMs: minutes * MINUTE },
      })
      cluster.start('standby')
      endByHand(cluster)
      await cluster.pass(MINUTE)
      cluster.clock.jump(-minutes * MINUTE)
      await cluster.pass(MINUTE)
      cluster.clock.jump(2 * minutes * MINUTE)
      await untilGone(cluster, 15 * MINUTE)
      t.equal(cluster.queue.done, 4)
      t.equal(lost(cluster), 0)
      t.same(new Set(closings(cluster)), new Set(['complete']))
      t.match(cluster.store.readLease(), { fence: 1 }, 'nobody took over')
      t.same(cluster.violations, [])
    }
  },
)

t.test('F92: a schedule fires once at both edges of summer time', async (t) => {
  const night = { name: 'night', cron: '30 2 * * *', zone: 'Europe/Berlin', floor: 2 }
  const at = async (start: string) => {
    const cluster = await withCluster(t, {
      policy: { schedules: [{ ...night, forMs: 10 * MINUTE }], idleOffMs: 30 * SECOND },
      bootMs: 20 * SECOND,
      clock: new TestClock(Date.parse(start)),
    })
    cluster.start()
    return cluster
  }
  const spring = await at('2026-03-29T00:59:00Z')
  await spring.pass(29 * MINUTE)
  t.equal(spring.group.desired, 0, 'half past two does not come')
  await spring.pass(4 * MINUTE)
  t.equal(spring.group.desired, 2, 'it is half past three, by the new time')
  const autumn = await at('2026-10-25T00:29:00Z')
  t.equal(autumn.group.desired, 0)
  await autumn.pass(2 * MINUTE)
  t.equal(autumn.group.desired, 2, 'half past two')
  const again = await at('2026-10-25T01:29:00Z')
  await again.pass(3 * MINUTE)
  t.same(sizes(again), [], 'half past two comes again, and changes nothing')
})
