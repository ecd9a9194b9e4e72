/** A day of a pool, as the bench times it: the day itself tells when it does not go as it must. */
import t from 'tap'
import { runDay } from '../../bench/fleet/day.ts'
import { systemClock } from '../../src/platform/index.ts'

t.test('a day of builds comes and goes, and so do the machines', async (t) => {
  const nodes = 40
  const day = await runDay(systemClock, { nodes, hours: 6 })
  t.ok(day.slices > 1000, `${day.slices} slices`)
  t.ok(day.released >= nodes / 2, `${day.released} machines were let go`)
  t.equal(day.most, nodes)
})
