import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { systemRandom } from '../../src/platform/index.ts'
import { createSources } from '../../src/scheduler/sources.ts'

const HEAD = '# v2 git bundle\n'

const bytes = (...chunks: string[]) => Readable.from(chunks.map((chunk) => Buffer.from(chunk)))
const bundle = (...chunks: string[]) => bytes(HEAD, ...chunks)

t.test('a bundle is kept under the hash of its bytes, and read back', async (t) => {
  const directory = join(t.testdir(), 'made/when/needed')
  const sources = createSources({ directory, random: systemRandom })
  const id = await sources.store(bundle('one ', 'two'))
  t.equal(id, createHash('sha256').update(`${HEAD}one two`).digest('hex'))
  t.equal(await sources.store(bundle('one two')), id)
  t.strictSame(readdirSync(directory), [id])
  t.equal(await sources.has(id), true)
  const found = await sources.open(id)
  t.equal(found?.length, 23)
  t.equal((await found?.bytes.toArray())?.join(''), `${HEAD}one two`)
  t.equal(await sources.has('0'.repeat(64)), false)
  t.equal(await sources.open('0'.repeat(64)), null)
})

t.test('what a dead server left half-written is removed', async (t) => {
  const directory = t.testdir({ 'abc.part': 'half', ['0'.repeat(64)]: 'whole' })
  await createSources({ directory, random: systemRandom }).tidy()
  t.strictSame(readdirSync(directory), ['0'.repeat(64)])
})

t.test('a bundle that is too large, or breaks off, leaves nothing behind', async (t) => {
  const directory = t.testdir()
  const sources = createSources({ directory, random: systemRandom, bytesMax: 20 })
  await t.rejects(sources.store(bundle('abc', 'def')), { code: 'TOO_LARGE' })
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from(HEAD)
      throw new Error('the connection broke')
    })(),
  )
  await t.rejects(sources.store(broken), { message: 'the connection broke' })
  t.strictSame(readdirSync(directory), [])
})

t.test(
  'what is no git bundle is refused with its first bytes, and leaves nothing behind',
  async (t) => {
    const directory = t.testdir()
    const sources = createSources({ directory, random: systemRandom })
    const wrong = [[], [''], ['# v2 git'], ['# v4 git bundle\n'], ['PK\u0003\u0004'], [' ', HEAD]]
    for (const chunks of wrong) {
      const refusal = { code: 'INPUT_INVALID', message: /no git bundle.*git bundle create/ }
      await t.rejects(sources.store(bytes(...chunks)), refusal, JSON.stringify(chunks))
    }
    let read = 0
    const endless = (async function* () {
      for (;;) {
        read += 1
        yield Buffer.alloc(65_536, 'x')
      }
    })()
    await t.rejects(sources.store(Readable.from(endless)), { code: 'INPUT_INVALID' })
    t.ok(read < 50, 'the rest was not waited for')
    t.strictSame(readdirSync(directory), [])
    t.ok(await sources.store(bytes('# v3', ' git bundle', '\n')), 'also a byte at a time')
  },
)
