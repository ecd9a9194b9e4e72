/** Secrets in whatever way programs print them. */
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Mask, MaskFilter } from '../../../src/build-agent/output/mask-filter.ts'
import { systemClock } from '../../../src/platform/index.ts'
import { aTask, runToEnd } from '../../build-agent/support/agent.ts'

const PASSWORD = 'correct horse/battery+staple?'
const KEY_BODY = ['MIIEowIBAAKCAQEAx7Zr1fW0p9', 'Qm9yIGxhIG1hcmVhIG5lYWdyYQ', 'c2hvcnQ=']
const KEY = ['-----BEGIN KEY-----', ...KEY_BODY, '-----END KEY-----', ''].join('\n')
const SERVICE_ACCOUNT = JSON.stringify({
  type: 'service_account',
  project: 'abc',
  private_key: KEY,
  nested: [{ client: 'robot@project.example' }],
})

t.test('C-16: a secret of several lines is found over the line ends of a terminal', async (t) => {
  for (const end of ['\n', '\r\n', '\r\r\n']) {
    const text = `before${end}${KEY.trimEnd().split('\n').join(end)}${end}after`
    shows(t, [KEY.trimEnd()], text, `before${end}****${end}after`)
  }
})

t.test('C-22: a key is hidden however its lines are put together', async (t) => {
  const lines = KEY.trimEnd().split('\n')
  const joined = [' ', '', String.raw`\n`, '\n  ', '\n\t', '\n        ']
  for (const gap of joined) shows(t, [KEY], `key: ${lines.join(gap)}.`, 'key: ****.')
  const { server } = await runToEnd(
    t,
    aTask({
      mask: [KEY],
      environment: [{ layer: 'project', values: { KEY } }],
      steps: ['set -x; echo "$KEY"; echo $KEY; printf %s "$KEY" | sed "s/^/    /"'],
    }),
  )
  for (const line of KEY_BODY.slice(0, 2)) t.notMatch(server.output(0).toString(), line)
})

t.test('C-22: of a key with other blanks between its lines, the lines are hidden', async (t) => {
  const mixed = KEY.split('\n').join(' \n\t ')
  for (const line of KEY_BODY.slice(0, 2)) t.notMatch(masked([KEY], mixed), line)
})

t.test('C-23: base64 of a secret is hidden, at each place and in both alphabets', async (t) => {
  const secret = 'p?ss~w>rd-of-the-\u00ff-database'
  for (const alphabet of ['base64', 'base64url'] as const) {
    for (const end of ['', '\n']) {
      shows(t, [secret], `<${Buffer.from(secret + end).toString(alphabet)}>`, '<****>')
    }
    for (let before = 0; before < 7; before++) {
      for (let after = 0; after < 4; after++) {
        const text = `${'u'.repeat(before)}${secret}${':'.repeat(after)}`
        const out = masked([secret], Buffer.from(text).toString(alphabet))
        t.match(out, /\*\*\*\*/, `${before} bytes before it, ${after} behind, ${alphabet}`)
        t.notMatch(decodePieces(out, alphabet), /ss~w>rd|database/)
      }
    }
  }
})

t.test('C-23: lines of base64 are hidden, and what is encoded twice is not', async (t) => {
  const long = Array.from({ length: 20 }, (_, n) => `part-${n}-of-it`).join('/')
  const text = Buffer.from(`${long}\n`).toString('base64')
  for (const width of [76, 64]) {
    const wrapped = text.match(new RegExp(`.{1,${width}}`, 'g'))?.join('\n') ?? ''
    shows(t, [long], `${wrapped}\nend`, '****\nend')
  }
  const twice = Buffer.from(text).toString('base64')
  t.equal(masked([long], twice), twice, 'no list of spellings ends')
  const packed = gzipSync(long).toString('base64')
  t.equal(masked([long], packed), packed)
})

t.test('C-23: what addresses, JSON and shells make of a secret is hidden', async (t) => {
  shows(t, [PASSWORD], `https://me:${encodeURIComponent(PASSWORD)}@host/`, 'https://me:****@host/')
  shows(t, ['say "no" \\ twice'], JSON.stringify({ a: 'say "no" \\ twice' }), '{"a":"****"}')
  shows(t, ["it's a secret"], String.raw`echo 'it'\''s a secret'`, "echo '****'")
})

t.test('C-24: every text of a JSON secret is hidden, printed alone or pretty', async (t) => {
  const pretty = JSON.stringify(JSON.parse(SERVICE_ACCOUNT), null, 2)
  for (const text of [SERVICE_ACCOUNT, pretty, KEY, 'robot@project.example']) {
    const out = masked([SERVICE_ACCOUNT], text)
    for (const leaf of ['service_account', ...KEY_BODY.slice(0, 2), 'robot@project']) {
      t.notMatch(out, leaf)
    }
  }
  t.match(masked([SERVICE_ACCOUNT], pretty), /"project": "abc"/, 'short ones are words')
  shows(t, ['{"not JSON at all"'], 'a {"not JSON at all" b', 'a **** b')
})

t.test('C-27: five thousand secrets cost no more time per byte than one', async (t) => {
  const words = Array.from({ length: 5000 }, (_, n) => `secret-${(n * 7919).toString(36)}-of-${n}`)
  const line = 'ok 17 - a line as test runners print them, with a word like secret-0-of-1 # 3 ms\n'
  const chunk = Buffer.from(line.repeat(800))
  const timeOf = (secrets: readonly string[]): number => {
    const filter = new MaskFilter(new Mask(secrets))
    // What runs first is not compiled yet.
    for (let warm = 0; warm < 20; warm++) filter.push(chunk)
    const startedMs = systemClock.monotonic()
    for (let bytes = 0; bytes < 20_000_000; bytes += chunk.length) filter.push(chunk)
    return systemClock.monotonic() - startedMs
  }
  const one = Math.min(timeOf(words.slice(0, 1)), timeOf(words.slice(0, 1)))
  const all = Math.min(timeOf(words), timeOf(words))
  t.comment(`20 MB: one secret ${Math.round(one)} ms, 5,000 secrets ${Math.round(all)} ms`)
  // Linear in their number would be thousands of times as long; caches and a shorter skip are not.
  t.ok(all < Math.max(one * 60, 1500))
  const at = 4321
  shows(t, words, `<${words[at]}>`, '<****>')
})

t.test(
  'C-27: what is too much to be spelled out is hidden as it is written, and told',
  async (t) => {
    const large = Array.from({ length: 40 }, (_, n) => `${n}-${'x'.repeat(20_000)}`)
    const mask = new Mask(large)
    t.ok(mask.plainOnly > 0 && mask.plainOnly < 40, `${mask.plainOnly} of 40`)
    for (const secret of large) t.equal(mask.text(secret), '****')
    const { server } = await runToEnd(t, aTask({ mask: large }))
    t.match(server.notices, [/^\d+ secret values are not masked where they are encoded: too many/])
  },
)

/** In one piece and byte by byte. */
function shows(t: Test, secrets: readonly string[], text: string, expected: string): void {
  t.equal(masked(secrets, text), expected)
  const filter = new MaskFilter(new Mask(secrets))
  const out = Array.from(Buffer.from(text)).flatMap((byte) =>
    filter.push(Buffer.from([byte])).map((piece) => Buffer.from(piece)),
  )
  t.equal(Buffer.concat([...out, ...filter.end()]).toString(), expected, 'byte by byte')
}

function masked(secrets: readonly string[], text: string): string {
  return new Mask(secrets).text(text)
}

/** Whatever can still be read out of what is left, at any alignment. */
function decodePieces(text: string, alphabet: 'base64' | 'base64url'): string {
  return text
    .split('****')
    .flatMap((piece) => [0, 1, 2, 3].map((skip) => Buffer.from(piece.slice(skip), alphabet)))
    .join('\n')
}
