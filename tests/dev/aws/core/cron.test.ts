/** Lines of cron in time zones, across clock changes. */
import t from 'tap'
import { nextAfter } from '../../../../src/dev/aws/core/cron.ts'
import { parseCron } from '../../../../src/model/index.ts'

const next = (expression: string, after: string, zone = 'UTC') => {
  const cron = parseCron(expression)
  if (typeof cron === 'string') return cron
  const at = nextAfter(cron, Date.parse(after), zone)
  return at === null ? 'never' : new Date(at).toISOString().slice(0, 16)
}

t.test('the next moment is found, whatever field decides', (t) => {
  t.equal(next('* * * * *', '2026-03-01T10:00:30Z'), '2026-03-01T10:01')
  t.equal(next('*/15 * * * *', '2026-03-01T10:00:00Z'), '2026-03-01T10:15')
  t.equal(next('0 7 * * 1-5', '2026-03-06T08:00:00Z'), '2026-03-09T07:00')
  t.equal(next('30 4 1 * *', '2026-03-01T04:30:00Z'), '2026-04-01T04:30')
  t.equal(next('0 0 29 feb *', '2026-03-01T00:00:00Z'), '2028-02-29T00:00')
  t.equal(next('0 0 * * sun', '2026-03-02T00:00:00Z'), '2026-03-08T00:00')
  t.equal(next('0 0 * * 7', '2026-03-02T00:00:00Z'), '2026-03-08T00:00')
  t.equal(next('5,10 1 * * *', '2026-03-02T01:05:00Z'), '2026-03-02T01:10')
  t.equal(next('0 0 31 2 *', '2026-03-02T01:05:00Z'), 'never')
  t.end()
})

t.test('with both days given either is enough', (t) => {
  t.equal(next('0 0 13 * fri', '2026-03-01T00:00:00Z'), '2026-03-06T00:00')
  t.equal(next('0 0 13 * fri', '2026-04-11T00:00:00Z'), '2026-04-13T00:00')
  t.end()
})

t.test('the hour is that of the zone, in summer and in winter', (t) => {
  t.equal(next('0 7 * * *', '2026-01-10T12:00:00Z', 'Europe/Berlin'), '2026-01-11T06:00')
  t.equal(next('0 7 * * *', '2026-07-10T12:00:00Z', 'Europe/Berlin'), '2026-07-11T05:00')
  t.equal(next('0 7 * * *', '2026-03-28T12:00:00Z', 'Europe/Berlin'), '2026-03-29T05:00')
  t.equal(next('0 9 * * *', '2026-01-10T12:00:00Z', 'Asia/Kolkata'), '2026-01-11T03:30')
  t.end()
})

t.test(
  'a time that the clocks skip does not come that day, one that they repeat comes once',
  (t) => {
    t.equal(next('30 2 * * *', '2026-03-28T12:00:00Z', 'Europe/Berlin'), '2026-03-30T00:30')
    t.equal(next('30 2 * * *', '2026-10-24T12:00:00Z', 'Europe/Berlin'), '2026-10-25T00:30')
    t.equal(next('30 2 * * *', '2026-10-25T00:30:00Z', 'Europe/Berlin'), '2026-10-26T01:30')
    t.end()
  },
)
