import fc from 'fast-check'
import t from 'tap'
import { filterOf } from '../../src/nomad/index.ts'
import { collect, fakeNomad } from '../support/fake-nomad.ts'

const stub = (id: string) => ({ ID: id, Status: 'dead', ModifyIndex: 1 })

t.test('a list is read page by page', async (t) => {
  const { nomad, calls } = await fakeNomad(t, ({ query }) => {
    const token = query.get('next_token')
    if (token === null) return { json: [stub('a')], headers: { 'x-nomad-nexttoken': 'ci.b' } }
    return { json: [stub('b')], headers: { 'x-nomad-index': '9' } }
  })
  const pages = await collect(nomad.listJobs({ prefix: 'p', perPage: 1, meta: true, filter: 'x' }))
  t.same(pages, [
    { items: [stub('a')], index: 7 },
    { items: [stub('b')], index: 9 },
  ])
  const common = 'namespace=default&meta=true&prefix=p&filter=x&per_page=1'
  t.same(
    calls.map(({ query }) => query.toString()),
    [common, `${common}&next_token=ci.b`],
  )
})

t.test('a page is asked for only when the one before it was taken', async (t) => {
  const headers = { 'x-nomad-nexttoken': 'more' }
  const { nomad, calls } = await fakeNomad(t, () => ({ json: [], headers }))
  for await (const page of nomad.listAllocations()) {
    t.same(page.items, [])
    break
  }
  t.equal(calls.length, 1)
})

t.test('a list that turns in circles ends with an error', async (t) => {
  const headers = { 'x-nomad-nexttoken': 'same' }
  const { nomad, calls } = await fakeNomad(t, () => ({ json: [], headers }))
  await t.rejects(collect(nomad.listNodes()), { code: 'NOMAD_REJECTED', message: /list nodes/ })
  t.equal(calls.length, 2)
  t.equal(calls[0]?.query.get('resources'), 'true')
})

t.test('a filter quotes what it looks for, or refuses it', (t) => {
  t.equal(
    filterOf({ 'Meta.org': 'acme', 'Meta.install': 'a"b' }),
    'Meta.org == `acme` and Meta.install == `a"b`',
  )
  t.equal(filterOf({ ID: 'a`b' }), 'ID == "a`b"')
  const property = fc.property(fc.string(), (value) => {
    const impossible = value.includes('`') && /["\\\n]/.test(value)
    try {
      const filter = filterOf({ ID: value })
      const quote = filter.at(-1) ?? ''
      const inside = filter.slice('ID == '.length + 1, -1)
      return !impossible && inside === value && !inside.includes(quote)
    } catch {
      return impossible
    }
  })
  fc.assert(property)
  t.throws(() => filterOf({ ID: '`"' }), { code: 'INPUT_INVALID' })
  t.end()
})
