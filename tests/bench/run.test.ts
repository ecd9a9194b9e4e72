import { spawnSync } from 'node:child_process'
import { access, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Bench } from '../../bench/harness/bench.ts'
import { BENCH_EXIT, runBench } from '../../bench/harness/run.ts'
import { TestClock } from '../../src/platform/index.ts'

async function bench(args: readonly string[], ...benches: Partial<Bench>[]) {
  const stdout: string[] = []
  const stderr: string[] = []
  const code = await runBench(args, {
    benches: benches.map(aBench),
    clock: new TestClock(),
    stdout: (line) => stdout.push(line),
    stderr: (line) => stderr.push(line),
  })
  return { code, stdout, stderr, json: toJson(stdout.at(-1) ?? '') }
}

function aBench(changes: Partial<Bench> = {}): Bench {
  return {
    name: 'walk',
    against: 'standing still',
    reach: 'at most twice as long',
    run: async () => ({ ratio: 1.5, missed: [], figures: {} }),
    ...changes,
  }
}

function toJson(line: string): unknown {
  return line.startsWith('{') ? JSON.parse(line) : undefined
}

t.test('a bench that reaches ends with its figures as one JSON line and 0', async (t) => {
  const { code, json, stderr } = await bench(['walk'], {
    run: async () => ({ ratio: 1.23456, missed: [], figures: { mb_per_s: 118.4, peer: 'cat' } }),
  })
  t.equal(code, BENCH_EXIT.ok)
  t.strictSame(json, { bench: 'walk', ratio: 1.23, pass: true, mb_per_s: 118, peer: 'cat' })
  t.strictSame(stderr, [])
})

t.test('a missed reach is told in words, fails and ends with 1', async (t) => {
  const run = async () => ({ ratio: 7, missed: ['it took 7 times as long'], figures: {} })
  const { code, stdout, json } = await bench(['walk'], { run })
  t.equal(code, 1)
  t.equal(stdout.at(-2), 'missed: it took 7 times as long')
  t.strictSame(json, { bench: 'walk', ratio: 7, pass: false })
})

t.test('a bench without a peer has no ratio', async (t) => {
  const { code, json } = await bench(['walk'], {
    run: async () => ({ ratio: null, missed: [], figures: {} }),
  })
  t.equal(code, 0)
  t.strictSame(json, { bench: 'walk', ratio: null, pass: true })
})

t.test('peers are measured in turn and printed as a table', async (t) => {
  const order: string[] = []
  const measure = (name: string, value: number) => () => {
    order.push(name)
    return value
  }
  const { stdout } = await bench(['walk'], {
    async run({ interleave }) {
      const options = { rounds: 2, warmups: 1, unit: 'ms' }
      const { own, peer } = await interleave(
        { own: measure('own', 12.3456), peer: measure('peer', 4) },
        options,
      )
      return { ratio: own.ratioTo(peer), missed: [], figures: {} }
    },
  })
  t.strictSame(order, ['own', 'peer', 'own', 'peer', 'own', 'peer'])
  t.strictSame(stdout.slice(1, -1), [
    'ms    median   min   max   p99  rounds',
    'own     12.3  12.3  12.3  12.3       2',
    'peer       4     4     4     4       2',
  ])
})

t.test('without a name the benches are listed', async (t) => {
  const { code, stdout } = await bench([], { name: 'walk' }, { name: 'swim', reach: 'none' })
  t.equal(code, 0)
  t.strictSame(stdout, [
    'name  against         reach',
    'walk  standing still  at most twice as long',
    'swim  standing still  none',
  ])
})

t.test('an unknown name, or one too many, ends with 2 and the list', async (t) => {
  const unknown = await bench(['fly'], {})
  t.equal(unknown.code, 2)
  t.match(unknown.stderr, [/no bench `fly`/, /name/, /walk/])
  t.strictSame(unknown.stdout, [])
  const both = await bench(['walk', 'swim'], {}, { name: 'swim' })
  t.equal(both.code, 2)
  t.match(both.stderr, [/one bench at a time/, /name/, /walk/, /swim/])
})

t.test('a bench that breaks is no bench that is slow: it ends with 3 and no figures', async (t) => {
  const { code, stderr, json } = await bench(['walk'], {
    run: async () => {
      throw new Error('the road is closed')
    },
  })
  t.equal(code, 3)
  t.match(stderr[0], /walk could not be run: .*the road is closed/)
  t.equal(json, undefined)
})

t.test('what a bench wrote to its folder is gone afterwards, however it ended', async (t) => {
  for (const ending of [[], ['too slow'], null]) {
    let folder = ''
    await bench(['walk'], {
      async run({ dir }) {
        folder = dir
        t.strictSame(await readdir(dir), [])
        await writeFile(join(dir, 'file'), 'x')
        if (ending === null) throw new Error('broken')
        return { ratio: 1, missed: ending, figures: {} }
      },
    })
    await t.rejects(access(folder), { code: 'ENOENT' })
  }
})

t.test('an interrupt ends it with 130, and without its folder', async (t) => {
  const interrupt = new AbortController()
  let folder = ''
  const code = await runBench(['walk'], {
    benches: [
      aBench({
        run: async ({ dir }) => {
          folder = dir
          interrupt.abort(new Error('SIGINT'))
          return await new Promise(() => undefined)
        },
      }),
    ],
    clock: new TestClock(),
    stdout: () => undefined,
    stderr: (line) => t.fail(line),
    signal: interrupt.signal,
  })
  t.equal(code, 130)
  await t.rejects(access(folder), { code: 'ENOENT' })
})

t.test('the program knows its benches', (t) => {
  const program = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'nonsense'], {
    encoding: 'utf8',
  })
  t.equal(status, 2)
  t.equal(stdout, '')
  const names = stderr.split('\n').map((line) => line.split(' ')[0])
  t.strictSame(names.slice(2, -1), [
    'agent-start',
    'config',
    'container',
    'fleet',
    'latency',
    'metrics',
    'output',
    'queue',
    'recover',
    'store',
    'submit',
    'template',
  ])
  t.end()
})
