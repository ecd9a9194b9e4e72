/** Values that nobody expects, and what becomes of sound ones with some of them put in. */
import * as fc from 'fast-check'

const STRANGE: readonly unknown[] = [
  null,
  true,
  '',
  ' ',
  0,
  -1,
  -0,
  0.5,
  1e21,
  -1e308,
  2 ** 31,
  2 ** 53,
  Number.MAX_SAFE_INTEGER,
  '9'.repeat(400),
  '1e999',
  'NaN',
  '\0',
  'a\u0000b',
  '\uD800',
  '\u202E',
  '\uFEFF',
  '\u{1F600}'.repeat(50),
  '../../../../etc/passwd',
  '%00%ff%2e%2e',
  "'; drop table builds; --",
  '${jndi:x}',
  '__proto__',
  'constructor',
  'x'.repeat(5000),
  [],
  {},
  [[[[[[]]]]]],
  [null],
  { length: -1 },
  { toString: 1, valueOf: 1 },
  { constructor: { prototype: { polluted: true } } },
]

/** Own keys of these names, as a parser of JSON makes them. */
const PROTOTYPES = [
  '{"__proto__":{"polluted":true}}',
  '{"__proto__":null}',
  '{"hasOwnProperty":1,"toJSON":2}',
]

export const strange: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...STRANGE) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...PROTOTYPES).map((text) => JSON.parse(text) as unknown),
  },
  { weight: 2, arbitrary: fc.jsonValue() },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  { weight: 1, arbitrary: fc.nat(100_000) },
)

/** Changes: at the n-th place of the value, put this, leave it out, or put it twice. */
const change = fc.record({
  at: fc.nat(500),
  how: fc.constantFrom('replace', 'remove', 'double', 'add'),
  value: strange,
  key: fc.constantFrom('__proto__', 'constructor', 'extra', 'length', 'ID', 'seq', ''),
})

/** Copies of the sound values with some changes; now and then none of it. */
export function mutated(...sound: readonly unknown[]): fc.Arbitrary<unknown> {
  const changed = fc
    .record({ base: fc.constantFrom(...sound), changes: fc.array(change, { maxLength: 4 }) })
    .map(({ base, changes }) => {
      let value = structuredClone(base)
      for (const each of changes) value = apply(value, each)
      return value
    })
  return fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: strange })
}

type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never

interface Place {
  holder: Record<string, unknown> | unknown[]
  key: string
}

function apply(value: unknown, { at, how, value: shared, key }: Change): unknown {
  // One that is put in several places, or changed once it is there, must not be the others.
  const put: unknown = structuredClone(shared)
  const places = listPlaces(value)
  const place = places[at % Math.max(places.length, 1)]
  if (place === undefined) return put
  const { holder } = place
  const set = (name: string, what: unknown) =>
    Object.defineProperty(holder, name, {
      value: what,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  if (how === 'remove') Reflect.deleteProperty(holder, place.key)
  else if (how === 'double' && Array.isArray(holder)) holder.push(structuredClone(holder[0]))
  else if (how === 'add' && !Array.isArray(holder)) set(key, put)
  else set(place.key, put)
  return value
}

function listPlaces(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return []
  const holder = value as Place['holder']
  return Object.entries(holder).flatMap(([key, inner]) => [{ holder, key }, ...listPlaces(inner)])
}

/** Bytes on their way: whole, cut short, with some of them changed. */
export function broken(text: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const fault = fc.oneof(
    { weight: 5, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.nat(2000).map((end) => ({ end })) },
    { weight: 2, arbitrary: fc.record({ at: fc.nat(2000), byte: fc.nat(255) }) },
  )
  return fc.tuple(text, fault).map(([whole, what]) => {
    const bytes = Buffer.from(whole)
    if (what === null) return bytes
    if ('end' in what) return bytes.subarray(0, what.end)
    if (bytes.length > 0) bytes[what.at % bytes.length] = what.byte
    return bytes
  })
}
