import fc from 'fast-check'
import t from 'tap'
import { formatDuration, parseDurationMs, parseSizeBytes } from '../../src/model/index.ts'

t.test('durations as people write them', (t) => {
  const cases: [string, number | null][] = [
    ['250ms', 250],
    ['5s', 5000],
    ['10m', 600_000],
    ['1.25h', 4_500_000],
    ['1h30m20s', 5_420_000],
    ['7d', 604_800_000],
    ['', null],
    ['10', null],
    ['m', null],
    ['-5s', null],
    ['5 s', null],
    ['5s!', null],
  ]
  for (const [text, ms] of cases) t.equal(parseDurationMs(text), ms, text)
  t.end()
})

t.test('a duration prints as Go prints it and reads back', (t) => {
  t.equal(formatDuration(600_000), '10m0s')
  t.equal(formatDuration(0), '0s')
  t.equal(formatDuration(90_500), '1m30.5s')
  t.equal(formatDuration(3_723_000), '1h2m3s')
  t.equal(formatDuration(250), '250ms')
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000_000 }), (tenths) => {
      return parseDurationMs(formatDuration(tenths * 100)) === tenths * 100
    }),
  )
  t.end()
})

t.test('sizes, decimal and binary', (t) => {
  const cases: [string, number | null][] = [
    ['1024', 1024],
    ['1GiB', 1_073_741_824],
    ['500MB', 500_000_000],
    ['1.5 KiB', 1536],
    ['1 GB', 1_000_000_000],
    ['GB', null],
    ['1TB', null],
    ['-1', null],
  ]
  for (const [text, bytes] of cases) t.equal(parseSizeBytes(text), bytes, text)
  t.end()
})
