import t from 'tap'
import { formatType, toKind, toType } from '../../../src/scheduler/template/values.ts'

t.test('durations are read as Go reads them, to the nanosecond', async (t) => {
  const cases: [text: string | number, nanoseconds: number][] = [
    ['30s', 30_000_000_000],
    ['1h30m', 5_400_000_000_000],
    ['1.5h30m0.5s', 7_200_500_000_000],
    ['.5s', 500_000_000],
    ['1.s', 1_000_000_000],
    ['100us', 100_000],
    ['100µs', 100_000],
    ['1.1s', 1_100_000_000],
    ['0', 0],
    ['-1s', -1_000_000_000],
    ['8760h', 31_536_000_000_000_000],
    [30, 30],
  ]
  for (const [text, value] of cases)
    t.same(toKind('duration', text), { ok: true, value }, String(text))
  for (const text of ['', '30', '1d', '1h ', 's', 'h1', '1s2', true, ['1s']]) {
    t.equal(toKind('duration', text).ok, false, JSON.stringify(text))
  }
})

t.test('texts, numbers and truth values turn into one another where Nomad does it', async (t) => {
  t.same(toKind('text', 1.5), { ok: true, value: '1.5' })
  t.same(toKind('text', 1e21), { ok: true, value: '1000000000000000000000' })
  t.same(toKind('text', 1e-7), { ok: true, value: '0.0000001' })
  t.same(toKind('text', -0.25), { ok: true, value: '-0.25' })
  t.same(toKind('text', false), { ok: true, value: 'false' })
  t.same(toKind('text', 'e\u0301'), { ok: true, value: '\u00e9' }, 'composed, as HCL composes')
  t.same(toKind('whole', '500'), { ok: true, value: 500 })
  t.same(toKind('flag', 'true'), { ok: true, value: true })
  t.same(toKind('texts', [1, 'a', true]), { ok: true, value: ['1', 'a', 'true'] })
  t.same(toKind('map', { a: 1 }), { ok: true, value: { a: '1' } })
  t.equal(toKind('flag', 1).ok, false)
  t.equal(toKind('whole', true).ok, false)
  t.equal(toKind('text', null).ok, false)
  t.equal(toKind('map', ['a']).ok, false)
})

t.test('values take the type of their variable, all the way down', async (t) => {
  const nested = { list: { map: 'number' } } as const
  t.same(toType(nested, [{ a: '1' }]), { ok: true, value: [{ a: 1 }] })
  t.equal(toType(nested, [{ a: 'x' }]).ok, false)
  t.same(toType(nested, null), { ok: true, value: null })
  t.same(toType('any', [1, { a: null }]), { ok: true, value: [1, { a: null }] })
  t.equal(formatType(nested), 'list(map(number))')
})
