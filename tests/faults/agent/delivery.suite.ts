/** Output on its way: a server that is away, slow, refusing or busy. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock, TestClock } from '../../../src/platform/index.ts'
import { aTask, runToEnd, startAgent } from '../../build-agent/support/agent.ts'
import { ProtocolServer, type Trouble } from '../../build-agent/support/protocol-server.ts'

const AWAY: Trouble = { status: 503 }
const WAIT_FOR_GO = 'while [ ! -e go ]; do sleep 0.02; done'

t.test('C-1: a scheduler that is away for ten minutes costs nothing', async (t) => {
  const clock = new TestClock()
  let isAway = false
  const server = await ProtocolServer.start(t, {
    task: aTask({
      steps: [
        { command: `echo before; ${WAIT_FOR_GO}; seq 1 50000`, no_output_timeout_ms: 3_600_000 },
        'echo after',
      ],
      limits: { orphan_ms: 30 * 60_000, max_run_time_ms: 3_600_000 },
    }),
    flushMs: 2000,
    trouble: () => (isAway ? AWAY : undefined),
  })
  const timings = { retryBaseMs: 250, retryMaxMs: 10_000, pollMaxMs: 20_000, leakedPipeMs: 1e9 }
  const agent = await startAgent(t, server, { clock, timings })
  const time = driveClock(t, clock)
  await server.until(() => server.output(0).toString() === 'before\n')
  isAway = true
  server.order({})
  const awayMs = clock.monotonic()
  await writeFile(join(agent.allocation.taskDir, 'home/project/go'), '')
  await time.until(() => clock.monotonic() - awayMs >= 600_000)
  t.equal(server.output(0).toString(), 'before\n')
  t.match(agent.log(), /step finished step=1/, 'the steps went on meanwhile')
  isAway = false
  t.equal(await agent.exit, 0)
  t.equal(server.output(1).toString(), 'after\n')
  t.match(server.sliceFinished, { result: 'succeeded' })
  t.same([server.violations, server.checkOutputs()], [[], []])
})

t.test('C-1: a scheduler that refuses connections is found again, in real time', async (t) => {
  let isAway = false
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['for i in $(seq 1 150); do echo $i; sleep 0.02; done', 'echo last'] }),
    trouble: () => (isAway ? { cut: 'before' } : undefined),
  })
  const agent = await startAgent(t, server, { timings: { retryMaxMs: 400 } })
  await server.until(() => server.output(0).length > 0)
  isAway = true
  server.order({})
  await pause(2000)
  isAway = false
  t.equal(await agent.exit, 0)
  t.equal(server.output(0).toString().split('\n').length, 151)
  t.same([server.violations, server.checkOutputs()], [[], []])
})

t.test('C-2: a server that never takes output costs its middle, and not the result', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['seq 1 500000; exit 3'] }),
    trouble: ({ name }) => (name === 'output' ? AWAY : undefined),
  })
  const agent = await startAgent(t, server, {
    spoolBytes: 1024 ** 2,
    timings: { flushMs: 600, pollMaxMs: 50 },
  })
  t.equal(await agent.exit, 30)
  t.match(server.finished(0), { state: 'failed', exit_code: 3 })
  const { dropped = 0, length = 0 } = server.finished(0)?.output ?? {}
  t.ok(dropped > 2_000_000 && length < 1.2 * 1024 ** 2, `${dropped} left out, ${length} kept`)
  t.match(server.sliceFinished, { result: 'failed', reason: 'exit_code' })
  t.match(server.notices, [/took no output for too long/])
  t.match(agent.log(), /answers and takes no output.*output is left behind, the spool stays/s)
})

t.test('C-18: the end of a slice waits for a server that is slow with output', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['seq 1 30000'] }),
    chunkBytes: 16 * 1024,
    // Ten times the limit for one that takes nothing.
    trouble: ({ name }) => (name === 'output' ? { delayMs: 200 } : undefined),
  })
  const agent = await startAgent(t, server, { timings: { flushMs: 1200, pollMaxMs: 50 } })
  await server.until(() => server.finished(0) !== undefined)
  t.ok(server.output(0).length < 168_894, 'the step is over before its output is there')
  t.equal(server.finished(0)?.output.length, 168_894)
  await server.until(() => server.sliceFinished !== undefined)
  t.same(server.checkOutputs(), [], 'the slice is over when all of it is')
  t.equal(await agent.exit, 0)
  t.equal(server.outputsAtOnce, 1)
})

t.test('C-6: one chunk of a step is under way at a time, however long it takes', async (t) => {
  const { server } = await runToEnd(t, aTask({ steps: ['seq 1 20000'] }), {
    chunkBytes: 8192,
    trouble: ({ name, count }) =>
      name === 'output' && count % 5 === 1 ? { delayMs: 60 } : undefined,
  })
  t.equal(server.outputsAtOnce, 1)
})

t.test('C-8: a server that asks for a pause gets one, and larger chunks after it', async (t) => {
  const times: number[] = []
  const { server } = await runToEnd(
    t,
    aTask({ steps: ['for i in $(seq 1 60); do echo $i; sleep 0.02; done'] }),
    {
      trouble: ({ name, count }) => {
        if (name !== 'output') return undefined
        times.push(systemClock.monotonic())
        return count === 2 ? { status: 429, retryAfter: 1 } : undefined
      },
    },
  )
  t.ok((times[2] ?? 0) - (times[1] ?? 0) >= 995, 'nothing is sent before the second is over')
  t.ok(server.calls.output < 40, `${server.calls.output} calls for 60 lines`)
})

t.test('C-9: no answer loses a chunk', async (t) => {
  const left = [400, 404, 408, 413, 422, 429, 500, 502, 504]
  const { server } = await runToEnd(t, aTask({ steps: ['seq 1 30000'] }), {
    chunkBytes: 8192,
    trouble: ({ name, count }) => {
      const status = name === 'output' && count % 2 === 0 ? left.shift() : undefined
      return status === undefined ? undefined : { status, error: 'SOMETHING' }
    },
  })
  t.equal(server.output(0).toString().split('\n').length, 30_001)
  t.same(left, [], 'each was answered once')
})

for (const [status, error] of [
  [401, 'UNAUTHORIZED'],
  [403, 'bad_token'],
  [409, 'fenced'],
] as const) {
  t.test(`C-9: after ${status} ${error} for a chunk the agent stops as one too many`, async (t) => {
    const server = await ProtocolServer.start(t, {
      task: aTask({ steps: ['echo $$; sleep 30'] }),
      trouble: ({ name }) => (name === 'output' ? { status, error } : undefined),
    })
    const agent = await startAgent(t, server)
    t.equal(await agent.exit, 12)
    t.equal(server.sliceFinished, undefined)
  })
}

t.test('C-12: a byte now and then is seen within the time that the server asks for', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: [`while [ ! -e go ]; do printf .; sleep 0.2; done`] }),
    flushMs: 300,
  })
  const agent = await startAgent(t, server)
  const seen: number[] = []
  for (let dots = 1; dots <= 8; dots += 2) {
    await server.until(() => server.output(0).length >= dots)
    seen.push(systemClock.monotonic())
  }
  // Six dots take 1.2 s to print; 300 ms and a quarter may lie before the last is seen.
  const lateMs = (seen.at(-1) ?? 0) - (seen[0] ?? 0) - 1200
  t.ok(lateMs < 2000, `${Math.round(lateMs)} ms after it was printed`)
  await writeFile(join(agent.allocation.taskDir, 'home/project/go'), '')
  t.equal(await agent.exit, 0)
})

t.test('C-12: output comes sooner from the moment somebody looks, and later again', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: [`i=0; while [ ! -e go ]; do echo $((i += 1)); sleep 0.02; done`] }),
    flushMs: 60_000,
  })
  const agent = await startAgent(t, server)
  await server.until(() => server.output(0).length > 0)
  const quiet = server.calls.output
  await pause(400)
  t.equal(server.calls.output, quiet, 'nobody looks: what is printed gathers')
  server.order({ flush_ms: 50 })
  await server.until(() => server.calls.output >= quiet + 4)
  server.order({ flush_ms: 60_000 })
  await server.until(() => server.calls.control > 2)
  const watched = server.calls.output
  await pause(400)
  t.ok(server.calls.output <= watched + 1, 'nobody looks any more')
  await writeFile(join(agent.allocation.taskDir, 'home/project/go'), '')
  t.equal(await agent.exit, 0)
  t.same([server.violations, server.checkOutputs()], [[], []])
})

async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => systemClock.after(ms, resolve))
}

/** Lets minutes pass while real processes and real sockets do their part in between. */
function driveClock(t: Test, clock: TestClock) {
  const stop = new AbortController()
  const running = (async () => {
    while (!stop.signal.aborted) {
      await clock.tick(200)
      await pause(1)
    }
  })()
  t.teardown(async () => {
    stop.abort()
    await running
  })
  return {
    async until(condition: () => boolean) {
      const late = AbortSignal.timeout(30_000)
      while (!condition()) {
        late.throwIfAborted()
        await pause(5)
      }
    },
  }
}
