import * as fc from 'fast-check'
import t from 'tap'
import { z } from 'zod'
import {
  buildRequest,
  claimRequest,
  eventsRequest,
  explainIssues,
  explainOnOneLine,
} from '../../src/model/index.ts'

const explain = (schema: z.ZodType, value: unknown) =>
  explainOnOneLine(schema.safeParse(value).error?.issues ?? [])

t.test('each mistake names its field and what it should be', (t) => {
  const cases: [z.ZodType, unknown, string][] = [
    [z.object({ a: z.string() }), {}, 'a: is missing: it must be a text'],
    [z.object({ a: z.string() }), { a: 1 }, 'a: must be a text'],
    [z.object({ a: z.string().min(1) }), { a: '' }, 'a: must not be empty'],
    [z.object({ a: z.string().max(3) }), { a: 'abcd' }, 'a: must have at most 3 characters'],
    [z.object({ a: z.int().min(1) }), { a: 0 }, 'a: must be at least 1'],
    [z.object({ a: z.int() }), { a: 0.5 }, 'a: must be a whole number'],
    [z.object({ a: z.number().positive() }), { a: 0 }, 'a: must be more than 0'],
    [z.object({ a: z.array(z.int()) }), { a: [1, 'b'] }, 'a.1: must be a number'],
    [z.object({ a: z.array(z.int()).min(1) }), { a: [] }, 'a: must not be empty'],
    [z.enum(['x', 'y']), 'z', 'must be one of "x", "y"'],
    [z.object({}), null, 'must be an object'],
    [z.strictObject({}), { b: 1 }, 'has keys that are not known: b'],
    [z.url(), 'x', 'must be an http(s) URL'],
    [z.string().regex(/^a$/, 'is not a'), 'b', 'is not a'],
    [z.string().regex(/^a$/), 'b', 'must look like /^a$/'],
    [z.union([z.int(), z.boolean()]), 'x', 'fits none of the shapes it may have'],
  ]
  for (const [schema, value, expected] of cases) t.equal(explain(schema, value), expected)
  const many = explainIssues(z.array(z.int()).safeParse(Array(1000).fill('x')).error?.issues ?? [])
  t.equal(many.length, 21)
  t.equal(many.at(-1)?.message, 'and 980 more')
  t.end()
})

t.test('no words of the library reach whoever sends nonsense', (t) => {
  const schemas = fc.constantFrom(buildRequest, claimRequest, eventsRequest)
  fc.assert(
    fc.property(schemas, fc.jsonValue(), (schema, value) => {
      const text = explain(schema as z.ZodType, value)
      if (text === '' || /invalid|expected|received|zod/i.test(text)) throw new Error(text)
    }),
    { numRuns: 300, seed: 1 },
  )
  t.end()
})

t.test('what no column could hold does not get past the door', (t) => {
  const label = explain(buildRequest, { config: '', org: 'a\0b', repo: 'b', branch: 'c' })
  t.equal(label, 'org: must not hold a NUL character')
  const notice = { type: 'notice', seq: 1, at_ms: 0, text: 'a\0b' }
  t.match(eventsRequest.parse({ events: [notice] }), { events: [{ text: 'a\uFFFDb' }] })
  const far = { type: 'step_started', seq: 2 ** 31, at_ms: 0, step: 0 }
  t.match(explain(eventsRequest, { events: [far] }), /events\.0\.seq: must be at most 2147483647/)
  t.end()
})
