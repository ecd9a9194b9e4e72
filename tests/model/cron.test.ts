import t from 'tap'
import { isTimeZone, lastFiring, parseCron } from '../../src/model/index.ts'

/** When the line last fired, as a text in UTC. */
function last(line: string, zone: string, now: string): string | null {
  const cron = parseCron(line)
  if (typeof cron === 'string') throw new Error(cron)
  const fired = lastFiring(cron, zone, Date.parse(now))
  return fired === null ? null : new Date(fired).toISOString().slice(0, 16)
}

t.test('a line fires in its own zone, in summer and in winter', async (t) => {
  t.equal(last('0 7 * * *', 'Europe/Berlin', '2026-07-01T12:00:00Z'), '2026-07-01T05:00')
  t.equal(last('0 7 * * *', 'Europe/Berlin', '2026-12-01T12:00:00Z'), '2026-12-01T06:00')
  t.equal(last('0 7 * * *', 'Europe/Berlin', '2026-07-01T04:59:59Z'), '2026-06-30T05:00')
  t.equal(last('0 7 * * *', 'America/New_York', '2026-07-01T10:59:00Z'), '2026-06-30T11:00')
  t.equal(last('*/15 * * * *', 'UTC', '2026-07-01T10:59:00Z'), '2026-07-01T10:45')
})

t.test('92: both edges of summer time', async (t) => {
  // From 2:00 the clocks go to 3:00: what would be at 2:30 is at 3:30.
  t.equal(last('30 2 * * *', 'Europe/Berlin', '2026-03-29T01:29:00Z'), '2026-03-28T01:30')
  t.equal(last('30 2 * * *', 'Europe/Berlin', '2026-03-29T01:30:00Z'), '2026-03-29T01:30')
  // From 3:00 they go back to 2:00: of 2:30, which comes twice, the first one counts.
  t.equal(last('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:29:00Z'), '2026-10-24T00:30')
  t.equal(last('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z'), '2026-10-25T00:30')
  t.equal(last('30 2 * * *', 'Europe/Berlin', '2026-10-25T01:10:00Z'), '2026-10-25T00:30')
  t.equal(last('30 2 * * *', 'Europe/Berlin', '2026-10-25T12:00:00Z'), '2026-10-25T00:30')
})

t.test('days of the month and of the week, names, lists, steps', async (t) => {
  t.equal(last('0 0 * * mon-fri', 'UTC', '2026-07-05T12:00:00Z'), '2026-07-03T00:00')
  t.equal(last('0 0 * * 7', 'UTC', '2026-07-06T12:00:00Z'), '2026-07-05T00:00')
  t.equal(last('0 0 1,15 jan *', 'UTC', '2026-07-06T12:00:00Z'), '2026-01-15T00:00')
  t.equal(last('0 0 13 * fri', 'UTC', '2026-07-16T12:00:00Z'), '2026-07-13T00:00', 'either day')
  t.equal(last('0 0 29 2 *', 'UTC', '2026-07-06T12:00:00Z'), '2024-02-29T00:00')
  t.equal(last('0 0 30 2 *', 'UTC', '2026-07-06T12:00:00Z'), null)
})

t.test('what is no line of cron is told', async (t) => {
  t.equal(parseCron('0 7 * *'), 'has 4 fields instead of 5')
  t.equal(parseCron('0 24 * * *'), '"24" is no hour from 0 to 23')
  t.equal(parseCron('0 7 * * 1-9'), '"1-9" is no day of week from 0 to 7')
  t.equal(parseCron('*/0 7 * * *'), '"*/0" is no minute from 0 to 59')
  t.equal(parseCron('0 7 * * Freitag'), '"Freitag" is no day of week from 0 to 7')
})

t.test('zones are those of the IANA database', async (t) => {
  t.ok(isTimeZone('Europe/Berlin'))
  t.notOk(isTimeZone('Europe/Entenhausen'))
  t.notOk(isTimeZone(''))
})
