/** Output as it is: very much of it, in one line, in no encoding, faster than it can leave. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Spool } from '../../../src/build-agent/output/spool.ts'
import { systemClock } from '../../../src/platform/index.ts'
import { peakMemoryMb, spawnAgent } from '../../build-agent/support/agent-process.ts'
import { aTask, runToEnd } from '../../build-agent/support/agent.ts'
import { ProtocolServer } from '../../build-agent/support/protocol-server.ts'

/** What buffers, spool and young heap may take, whatever a step prints. */
const GROWTH_MB = 40
/** 120 are what an agent may have; sources, and what strips their types as they are loaded, are 37 more. */
const PEAK_MB = 157

t.test(
  'C-10: 1 GiB of output takes little more memory than none, and not a byte is lost',
  async (t) => {
    const repeat = (file: string, times: number) => `for i in $(seq ${times}); do cat ${file}; done`
    // One line in a thousand has a secret in it, so that the mask has its work too.
    const block = 'seq 1000000 1000998 > block; echo word-that-nobody-may-see >> block'
    const step = `${block}; ${repeat('block', 512)} > blocks; ${repeat('blocks', 264)}`
    const server = await ProtocolServer.start(t, {
      task: aTask({
        mask: ['word-that-nobody-may-see'],
        steps: [{ command: step, name: 'print 1 GiB' }],
        limits: { output_bytes: 2 * 1024 ** 3, max_run_time_ms: 600_000 },
      }),
      chunkBytes: 4 * 1024 ** 2,
      keepsBytes: false,
      flushMs: 100,
    })
    const dir = await mkdtemp(join(tmpdir(), 'caravan-bytes-'))
    t.teardown(async () => rm(dir, { recursive: true, force: true }))
    const agent = spawnAgent(t, server, { dir, environment: await templateOptions() })
    await server.until(() => server.started(0) !== undefined)
    const beforeMb = await peakMemoryMb(agent.child.pid ?? 0)
    await server.until(() => server.finished(0) !== undefined, 120_000)
    const peakMb = await peakMemoryMb(agent.child.pid ?? 0)
    t.equal(await agent.exit, 0)
    t.equal(server.finished(0)?.output.dropped, 0)
    t.equal(server.finished(0)?.output.length, 264 * 512 * (999 * 8 + 5))
    t.same([server.violations, server.checkOutputs()], [[], []])
    t.comment(`${Math.round(beforeMb)} MB before it, ${Math.round(peakMb)} MB at most`)
    t.ok(peakMb - beforeMb <= GROWTH_MB, `${Math.round(peakMb - beforeMb)} MB more`)
    t.ok(peakMb <= PEAK_MB, `${Math.round(peakMb)} MB at most`)
  },
)

t.test('C-11: one line of 200 MB goes out in pieces', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'caravan-bytes-'))
  t.teardown(async () => rm(dir, { recursive: true, force: true }))
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ["head -c 200000000 /dev/zero | tr '\\0' x"] }),
    keepsBytes: false,
  })
  const agent = spawnAgent(t, server, { dir, environment: await templateOptions() })
  await server.until(() => server.finished(0) !== undefined, 60_000)
  const peakMb = await peakMemoryMb(agent.child.pid ?? 0)
  t.equal(await agent.exit, 0)
  t.equal(server.finished(0)?.output.length, 200_000_000)
  t.same([server.violations, server.checkOutputs()], [[], []])
  t.ok(peakMb <= PEAK_MB, `${Math.round(peakMb)} MB at most`)
})

t.test('C-13: bytes that are no UTF-8 travel untouched, with and without a mask', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => [0xfe, n, 0xc3]).flat())
  const octal = Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
  for (const mask of [[], ['unrelated-secret']]) {
    const { server } = await runToEnd(t, aTask({ mask, steps: [`printf '${octal}'`] }))
    t.same(server.output(0), bytes)
  }
})

t.test('C-14: where output is left out no character is cut, at any limit', async (t) => {
  const folder = t.testdir()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for (const character of ['é', '€', '𝄞']) {
    for (let limitBytes = 200; limitBytes < 217; limitBytes++) {
      const spool = await Spool.open({
        path: join(folder, 'out'),
        limitBytes,
        roomBytes: 4096,
        clock: systemClock,
        fullMs: 0,
        hurry: new AbortController().signal,
        onDrop: () => undefined,
        onChange: () => undefined,
      })
      spool.append(Buffer.from(character.repeat(1000)))
      const { length, dropped } = await spool.end()
      const got = await readAll(spool)
      await spool.close({ remove: true })
      t.equal(got.length, length)
      t.ok(dropped > 0)
      t.doesNotThrow(() => decoder.decode(got), `${character} at ${limitBytes} bytes`)
    }
  }
})

t.test('C-15: carriage returns, colours and cursor movement are kept', async (t) => {
  const text = '10%\r 50%\r100%\r\n\x1b[31mred\x1b[0m\x1b[2K\x1b[1Gstart\b\x07\x1b]0;title\x07'
  const { server } = await runToEnd(t, aTask({ steps: [`printf '%s' '${text}'`] }))
  t.equal(server.output(0).toString(), text)
})

t.test('C-37: a step that is faster than the server waits, and loses nothing', async (t) => {
  const { server } = await runToEnd(t, aTask({ steps: ['seq 1 400000'] }), {
    chunkBytes: 128 * 1024,
    spoolBytes: 512 * 1024,
    timings: { spoolFullMs: 10_000 },
    trouble: ({ name }) => (name === 'output' ? { delayMs: 10 } : undefined),
  })
  t.equal(server.finished(0)?.output.dropped, 0)
  t.equal(server.output(0).length, 2_688_895)
})

/** What the job template gives the agent's Node.js. */
async function templateOptions(): Promise<{ NODE_OPTIONS: string }> {
  const text = await readFile(new URL('../../../nomad/jobs/build-slice.nomad.hcl', import.meta.url))
  const [, options = ''] = /^ *NODE_OPTIONS = "(.+)"$/m.exec(text.toString()) ?? []
  return { NODE_OPTIONS: options }
}

async function readAll(spool: Spool): Promise<Buffer> {
  const parts: Buffer[] = []
  let at = 0
  while (at < spool.length) {
    const part = Buffer.from(await spool.read(at, Buffer.alloc(4096)))
    parts.push(part)
    at += part.length
  }
  return Buffer.concat(parts)
}
