import fc from 'fast-check'
import t from 'tap'
import type { Call } from '../../../../src/dev/nomad-engine/http/call.ts'
import { byIndex, byKey, toPage } from '../../../../src/dev/nomad-engine/http/page.ts'

interface Row {
  ID: string
  Index: number
}

function call(query: Record<string, string>): Call {
  return {
    method: 'GET',
    url: '/',
    params: {},
    query: new URLSearchParams(query),
    body: '',
    signal: AbortSignal.abort(),
  }
}

const ORDERS = {
  key: byKey<Row>((row) => row.ID),
  index: byIndex<Row>((row) => [row.Index, row.ID]),
  newest: byIndex<Row>((row) => [row.Index, row.ID], 'descending'),
}

t.test('pages put together are the list, in whatever order and size', (t) => {
  const rows = fc.uniqueArray(
    fc.record({ ID: fc.stringMatching(/^[a-c.]{1,3}$/), Index: fc.integer({ min: 1, max: 4 }) }),
    { selector: (row) => row.ID, maxLength: 20 },
  )
  const property = fc.property(
    rows,
    fc.constantFrom(...Object.values(ORDERS)),
    fc.integer({ min: 1, max: 5 }),
    fc.boolean(),
    (all, order, size, reverse) => {
      const options: Record<string, string> = { per_page: String(size) }
      if (reverse) options['reverse'] = 'true'
      const seen: string[] = []
      let token: string | undefined = ''
      for (let page = 0; token !== undefined && page <= all.length; page++) {
        const query: Record<string, string> = token ? { ...options, next_token: token } : options
        const { rows: found, headers } = toPage(call(query), all, order)
        if (found.length > size) return false
        seen.push(...found.map((row) => row.ID))
        token = headers['x-nomad-nexttoken']
      }
      const whole = toPage(call(reverse ? { reverse: 'true' } : {}), all, order).rows
      return token === undefined && whole.map((row) => row.ID).join() === seen.join()
    },
  )
  fc.assert(property, { numRuns: 500 })
  t.pass('500 lists')
  t.end()
})

t.test('a page goes on where it was, though its first row is gone', (t) => {
  const rows = ['a', 'b', 'c', 'd'].map((ID, Index) => ({ ID, Index }))
  const first = toPage(call({ per_page: '2' }), rows, ORDERS.key)
  t.equal(first.headers['x-nomad-nexttoken'], 'c')
  const left = rows.filter((row) => row.ID !== 'c')
  const second = toPage(call({ per_page: '2', next_token: 'c' }), left, ORDERS.key)
  t.same(
    second.rows.map((row) => row.ID),
    ['d'],
  )
  t.end()
})
