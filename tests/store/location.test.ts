import t from 'tap'
import { parseStoreUrl, showLocation } from '../../src/scheduler/store/location.ts'

t.test('a SQLite URL names a file, counted from the data directory', (t) => {
  const normal = { kind: 'sqlite', synchronous: 'normal', thread: 'own' }
  t.match(parseStoreUrl('sqlite:caravan.db', '/data'), { ...normal, file: '/data/caravan.db' })
  t.match(parseStoreUrl('sqlite:/else/a.db', '/data'), { ...normal, file: '/else/a.db' })
  t.match(parseStoreUrl('/else/a.db', '/data'), { ...normal, file: '/else/a.db' })
  t.match(parseStoreUrl(':memory:', '/data'), { ...normal, file: ':memory:' })
  t.match(parseStoreUrl('sqlite:a.db?synchronous=full', '/d'), { synchronous: 'full' })
  t.end()
})

t.test('a PostgreSQL URL goes to the client as it is, but for our schema', (t) => {
  const url = 'postgres://me:s%40cret@db.example:5433/ci?sslmode=verify-full'
  const plain = parseStoreUrl(url, '/data')
  t.strictSame(plain, { kind: 'postgres', connectionString: url, schema: 'caravan' })
  t.equal(showLocation(plain), 'postgres://db.example:5433/ci (schema caravan)')
  const socket = parseStoreUrl('postgresql:///ci?host=/run/postgresql&schema=two', '/data')
  t.match(socket, { connectionString: 'postgresql:///ci?host=%2Frun%2Fpostgresql', schema: 'two' })
  t.end()
})

t.test('what makes no sense is said', (t) => {
  const refusals: [string, RegExp][] = [
    ['sqlite:', /the name of the file is missing/],
    ['sqlite:a.db?synchronous=off', /synchronous is normal or full, not "off"/],
    ['sqlite:a.db?cache=1', /no parameter cache/],
    ['postgres://db/ci?schema=Robert"; drop', /a schema is named with a-z/],
  ]
  for (const [url, message] of refusals) {
    t.throws(() => parseStoreUrl(url, '/'), { code: 'SETTINGS_INVALID', message })
  }
  t.end()
})
