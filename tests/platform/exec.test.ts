import t from 'tap'
import { exec } from '../../src/platform/index.ts'

t.test('what a program prints and how it ends come back', async (t) => {
  const result = await exec('sh', ['-c', 'echo out; echo err >&2; exit 3'], { timeoutMs: 10_000 })
  t.match(result, { code: 3, stderr: 'err\n' })
  t.equal(result.stdout.toString(), 'out\n')
})

t.test('a program that is not there is an input error that names it', async (t) => {
  await t.rejects(exec('no-such-program', [], { timeoutMs: 1000 }), {
    code: 'INPUT_INVALID',
    message: /no-such-program/,
  })
})

t.test('a program that takes too long or prints too much is ended', async (t) => {
  await t.rejects(exec('sleep', ['60'], { timeoutMs: 50 }), { code: 'TIMED_OUT' })
  const endless = exec('yes', [], { timeoutMs: 10_000, outputBytesMax: 100_000 })
  await t.rejects(endless, { code: 'TOO_LARGE' })
})
