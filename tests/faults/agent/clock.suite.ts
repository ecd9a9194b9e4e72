/** Clocks that are wrong, and clocks that jump. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type Clock, systemClock, type Timer } from '../../../src/platform/index.ts'
import { aTask, startAgent } from '../../build-agent/support/agent.ts'
import { ProtocolServer } from '../../build-agent/support/protocol-server.ts'

const HOUR_MS = 3_600_000
/** What the protocol server says at the claim. */
const SERVER_TIME_MS = 1_800_000_000_000

/** The machine's clock, with a wall time of its own. */
class WrongClock implements Clock {
  offsetMs = 0
  now(): number {
    return systemClock.now() + this.offsetMs
  }
  monotonic(): number {
    return systemClock.monotonic()
  }
  after(delayMs: number, run: () => void): Timer {
    return systemClock.after(delayMs, run)
  }
}

t.test('C-17: an agent whose clock is an hour off tells the time of the server', async (t) => {
  for (const offsetMs of [-HOUR_MS, HOUR_MS, 20 * 365 * 24 * HOUR_MS]) {
    const clock = new WrongClock()
    clock.offsetMs = offsetMs
    const server = await ProtocolServer.start(t, { task: aTask({ steps: ['sleep 0.2'] }) })
    const agent = await startAgent(t, server, { clock })
    t.equal(await agent.exit, 0)
    for (const { at_ms } of server.events) {
      t.ok(at_ms >= SERVER_TIME_MS - 1 && at_ms < SERVER_TIME_MS + 30_000, `${at_ms}`)
    }
    t.same(server.violations, [])
  }
})

t.test(
  'C-17: a wall clock that jumps while steps run ends nothing and disorders nothing',
  async (t) => {
    const clock = new WrongClock()
    const server = await ProtocolServer.start(t, {
      task: aTask({
        steps: [
          { command: 'echo 1; until [ -e go ]; do sleep 0.02; done', no_output_timeout_ms: 20_000 },
          'sleep 0.1; echo 2',
        ],
        limits: { orphan_ms: 20_000, max_run_time_ms: 40_000 },
      }),
      leaseMs: 300,
    })
    const agent = await startAgent(t, server, { clock })
    for (const [jumps, offsetMs] of [HOUR_MS, -5 * HOUR_MS, 30 * 24 * HOUR_MS].entries()) {
      const polls = server.calls.control
      clock.offsetMs = offsetMs
      await server.until(() => server.calls.control > polls + 1)
      t.equal(server.sliceFinished, undefined, `jump ${jumps}`)
    }
    await writeFile(join(agent.allocation.taskDir, 'home/project/go'), '')
    t.equal(await agent.exit, 0)
    t.match(server.sliceFinished, { result: 'succeeded' })
    const times = server.events.map((event) => event.at_ms)
    t.same(
      times,
      [...times].sort((a, b) => a - b),
    )
    const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0)
    t.ok(spanMs < 30_000, 'no jump is in any duration')
    t.ok(
      (server.finished(1)?.duration_ms ?? 0) >= 100 &&
        (server.finished(1)?.duration_ms ?? 0) < 10_000,
    )
    t.same([server.violations, server.checkOutputs()], [[], []])
  },
)
