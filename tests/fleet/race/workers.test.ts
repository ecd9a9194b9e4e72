/** The processes that run seeds: what becomes of one is a verdict. */
import { join } from 'node:path'
import t from 'tap'
import { Worker } from './workers.ts'

const ORDER = { seed: 7, wantsStory: false }

t.test(
  'a process that ends is named with its seed, and the next seed has another one',
  async (t) => {
    const dir = t.testdir({
      'worker.ts': `process.on('message', () => {
      process.stderr.write('out of luck')
      process.exit(3)
    })`,
    })
    const worker = new Worker(join(dir, 'worker.ts'))
    for (const seed of [7, 8]) {
      const { violations, seed: told } = await worker.run({ ...ORDER, seed })
      t.equal(told, seed)
      t.same(violations, ['the process that ran it has ended (code 3): out of luck'])
    }
  },
)

t.test('a process that spins is told, and ended', async (t) => {
  const dir = t.testdir({ 'worker.ts': `process.on('message', () => { for (;;); })` })
  const { violations } = await new Worker(join(dir, 'worker.ts'), 500).run(ORDER)
  t.same(violations, ['it did not come to its end within 0.5 s'])
})
