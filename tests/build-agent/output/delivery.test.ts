import { createHash } from 'node:crypto'
import t from 'tap'
import { writeFile } from 'node:fs/promises'
import { aTask, isGone, runToEnd, startAgent } from '../support/agent.ts'
import { ProtocolServer } from '../support/protocol-server.ts'

t.test('50 MB of noise arrive byte by byte, in chunks that the server allows', async (t) => {
  const command = 'head -c 50000000 /dev/urandom > noise; sha256sum < noise | cut -c1-64; cat noise'
  const { server } = await runToEnd(t, aTask({ steps: [command] }), { chunkBytes: 4 * 1024 ** 2 })
  const output = server.output(0)
  const noise = output.subarray(65)
  t.equal(noise.length, 50_000_000)
  t.equal(createHash('sha256').update(noise).digest('hex'), output.subarray(0, 64).toString())
})

t.test(
  'C-3: answers that get lost, after or before the server has acted, cost and double nothing',
  async (t) => {
    let calls = 0
    const { server, code } = await runToEnd(
      t,
      aTask({
        steps: ['for i in $(seq 1 40); do echo "line $i"; sleep 0.01; done', 'echo more', 'exit 1'],
      }),
      {
        trouble: ({ name }) => {
          if (name === 'control') return undefined
          calls += 1
          if (calls % 3 === 1) return { cut: 'after' }
          return calls % 3 === 2 ? { cut: 'before' } : undefined
        },
      },
    )
    t.equal(code, 0)
    const lines = Array.from({ length: 40 }, (_, n) => `line ${n + 1}\n`)
    t.equal(server.output(0).toString(), lines.join(''))
    t.equal(server.output(1).toString(), 'more\n')
    t.equal(server.events.length, 7)
  },
)

t.test('a server that is busy or fails for a while gets everything in the end', async (t) => {
  const { server, code, log } = await runToEnd(t, aTask({ steps: ['seq 1 2000'] }), {
    trouble: ({ name, count }) => {
      if (name === 'output' && count <= 2) return { status: 503 }
      if (name === 'output' && count === 3) return { status: 429, retryAfter: 0.05 }
      if (name === 'events' && count <= 2) return { status: 500 }
      return name === 'control' && count === 1 ? { status: 502 } : undefined
    },
  })
  t.equal(code, 0)
  t.equal(server.output(0).toString().split('\n').length, 2001)
  t.match(log, /the server did not take a call.*429/s)
  t.match(log, /the server answers again/)
})

t.test('C-4: a server that has less than before gets the rest again', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['seq 1 5000; while [ ! -e go ]; do sleep 0.02; done; echo end'] }),
    chunkBytes: 1000,
    trouble: ({ name, count }) => {
      if (name === 'output' && count === 9) server.forgetOutput(0, 2500)
      return undefined
    },
  })
  const agent = await startAgent(t, server)
  await server.until(() => server.calls.output > 12)
  await writeFile(`${agent.allocation.taskDir}/home/project/go`, '')
  t.equal(await agent.exit, 0)
  t.same(server.checkOutputs(), [])
  t.same(server.violations, [])
})

t.test('C-9: a chunk that some proxy finds too large is made smaller', async (t) => {
  const { server } = await runToEnd(t, aTask({ steps: ['seq 1 20000'] }), {
    trouble: ({ name, count }) => (name === 'output' && count <= 3 ? { status: 413 } : undefined),
  })
  t.equal(server.output(0).toString().split('\n').length, 20_001)
})

t.test(
  'C-5: a server that has more than was ever sent has another agent: this one stops',
  async (t) => {
    const server = await ProtocolServer.start(t, {
      task: aTask({ steps: ['echo mine; sleep 30'] }),
      trouble: ({ name, count }) => {
        if (name === 'output' && count === 1) server.addForeignOutput(0, 'somebody else wrote this')
        return undefined
      },
    })
    const agent = await startAgent(t, server)
    t.equal(await agent.exit, 12)
    t.equal(server.sliceFinished, undefined)
  },
)

t.test('beyond the limit head and tail are kept, and a marker tells what is missing', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        "printf '%.0s\\303\\251' $(seq 1 5000); seq 1 5000; printf '%.0s\\303\\251' $(seq 1 999)",
      ],
      limits: { output_bytes: 1001 },
    }),
  )
  const written = 11_998 + Array.from({ length: 5000 }, (_, n) => `${n + 1}\n`).join('').length
  const marker = `\n[caravan: the output limit was reached; ${written - 1000} bytes of output are left out here]\n`
  const text = server.output(0).toString()
  t.equal(text, `${'é'.repeat(125)}${marker}${'é'.repeat(375)}`, 'no character is cut in two')
  t.equal(server.finished(0)?.output.dropped, written - 1000)
  t.match(server.notices, [/^Step 0 wrote more than 1001 bytes/])
  t.match(server.finished(0), { state: 'succeeded' })
})

t.test('B63, C-2: a step waits for a server that is away, then goes on without it', async (t) => {
  const { server, log } = await runToEnd(
    t,
    aTask({
      steps: [{ command: 'seq 1 300000; echo end', no_output_timeout_ms: 1000 }],
      limits: { output_bytes: 100_000_000 },
    }),
    {
      spoolBytes: 500_000,
      timings: { spoolFullMs: 1500 },
      trouble: ({ name, count }) =>
        name === 'output' && count > 1 && count < 60 ? { status: 503 } : undefined,
    },
  )
  t.match(server.finished(0), { state: 'succeeded' }, 'being held back is no silence')
  t.match(server.output(0).toString(), /the server took no output for too long; \d+ bytes/)
  t.match(server.output(0).toString(), /300000\nend\n$/)
  t.match(server.notices, [/took no output for too long/])
  t.match(log, /output is left out/)
  const peak = server.sliceFinished?.spool_peak_bytes ?? 0
  t.ok(peak > 400_000 && peak < 5_000_000, `what waited is told: ${peak}`)
})

t.test('output without a newline is seen while the step runs', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['printf "are you there?"; while [ ! -e go ]; do sleep 0.02; done'] }),
  })
  const agent = await startAgent(t, server)
  await server.until(() => server.output(0).toString() === 'are you there?')
  t.equal(server.finished(0), undefined)
  agent.send('SIGTERM')
  t.equal(await agent.exit, 143)
})

t.test(
  'C-30, C-31: a daemon that keeps the pipe does not hang its step, lives on, and dies with the job',
  async (t) => {
    const { server } = await runToEnd(
      t,
      aTask({
        steps: [
          'echo started; (trap "" TERM; echo $BASHPID > ~/daemon; while :; do echo tick; sleep 0.05; done) & until [ -s ~/daemon ]; do sleep 0.02; done; echo "ended"',
          'sleep 0.5; kill -0 $(cat ~/daemon) && echo alive',
          {
            command:
              "setsid sh -c 'echo $$ > ~/escaped; exec sleep 600' > /dev/null 2>&1 & until [ -s ~/escaped ]; do sleep 0.02; done; cat ~/daemon ~/escaped",
          },
        ],
      }),
    )
    t.match(server.output(0).toString(), /still holds its output/)
    t.match(server.finished(0), { state: 'succeeded', exit_code: 0 })
    t.equal(server.output(1).toString(), 'alive\n', 'writing to the pipe did not kill it')
    const pids = server.output(2).toString().trim().split('\n').map(Number)
    t.equal(pids.length, 2)
    for (const pid of pids) t.ok(await isGone(pid), `${pid} is gone`)
  },
)
