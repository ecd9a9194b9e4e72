/** Disks that are full: under the steps, and under the spool. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../../src/platform/index.ts'
import { aTask, startAgent } from '../../build-agent/support/agent.ts'
import { ProtocolServer } from '../../build-agent/support/protocol-server.ts'
import { leaveOut, mountDisk } from './support/machine.ts'

const MIB = 1024 ** 2

t.test('C-62: a step on a full disk fails as that, and its output is not touched', async (t) => {
  const disk = mountDisk(t, '8m')
  if (disk === null) return leaveOut(t, 'only root can mount a small disk')
  const server = await ProtocolServer.start(t, {
    task: aTask({
      working_directory: join(disk, 'work'),
      steps: [
        'seq 1 100000; head -c 20000000 /dev/zero > large',
        { command: 'rm large', when: 'always' },
      ],
    }),
  })
  const agent = await startAgent(t, server)
  t.equal(await agent.exit, 0)
  t.match(server.finished(0), { state: 'failed', exit_code: 1, reason: 'disk_full' })
  t.match(
    server.output(0).toString(),
    /\n100000\n.*No space left.*caravan: the disk of \S+work is full\n/s,
  )
  t.match(server.finished(1), { state: 'succeeded' })
  t.match(server.sliceFinished, { result: 'failed', reason: 'disk_full' })
  t.same([server.violations, server.checkOutputs()], [[], []])
})

t.test(
  'C-62: a step that not even its script can be written for has a full disk too',
  async (t) => {
    const disk = mountDisk(t, '4m')
    if (disk === null) return leaveOut(t, 'only root can mount a small disk')
    const server = await ProtocolServer.start(t, {
      task: aTask({
        steps: [
          'cat /dev/zero > large || true',
          { command: `true ${'#'.repeat(300_000)}`, name: 'long' },
        ],
      }),
    })
    const dir = join(disk, 'allocation')
    mkdirSync(dir)
    const agent = await startAgent(t, server, { dir, timings: { spoolFullMs: 300 } })
    t.equal(await agent.exit, 0)
    t.match(server.finished(1), { state: 'failed', exit_code: null, reason: 'disk_full' })
    t.match(server.sliceFinished, { result: 'failed', reason: 'disk_full' })
    t.same([server.violations, server.checkOutputs()], [[], []])
  },
)

t.test(
  'C-63: a spool whose disk is full holds the step back, and goes on when there is room',
  async (t) => {
    const disk = mountDisk(t, '4m')
    if (disk === null) return leaveOut(t, 'only root can mount a small disk')
    const filler = join(disk, 'filler')
    writeFileSync(filler, Buffer.alloc(3.5 * MIB))
    const server = await ProtocolServer.start(t, {
      task: aTask({ steps: [{ command: 'seq 1 200000; touch done', no_output_timeout_ms: 1000 }] }),
    })
    const agent = await startAgent(t, server, {
      spoolRoot: disk,
      spoolBytes: 16 * MIB,
      timings: { spoolFullMs: 20_000 },
    })
    await server.until(() => server.output(0).length > 200_000)
    await new Promise((resolve) => systemClock.after(1500, () => resolve(null)))
    t.equal(server.finished(0), undefined, 'the step waits, which is no silence of its own')
    writeFileSync(filler, '')
    t.equal(await agent.exit, 0)
    t.match(server.finished(0), { state: 'succeeded', output: { length: 1_288_895, dropped: 0 } })
    t.same([server.violations, server.checkOutputs()], [[], []])
  },
)

t.test(
  'C-63: a spool whose disk stays full keeps head and tail, and the step goes on',
  async (t) => {
    const disk = mountDisk(t, '2m')
    if (disk === null) return leaveOut(t, 'only root can mount a small disk')
    const server = await ProtocolServer.start(t, {
      task: aTask({ steps: ['seq 1 900000; exit 4', { command: 'echo after', when: 'always' }] }),
    })
    const agent = await startAgent(t, server, {
      spoolRoot: disk,
      spoolBytes: 64 * MIB,
      timings: { spoolFullMs: 500 },
    })
    t.equal(await agent.exit, 0)
    t.match(server.finished(0), { state: 'failed', exit_code: 4, reason: 'exit_code' })
    const text = server.output(0).toString()
    const [, dropped = ''] =
      /\n\[caravan: the disk took no more; (\d+) bytes of output/.exec(text) ?? []
    t.equal(server.finished(0)?.output.dropped, Number(dropped))
    t.match(text, /^1\n2\n3\n/)
    t.match(text, /\n899999\n900000\n$/)
    t.ok(text.length > MIB, `${text.length} bytes are kept on a disk of 2 MiB`)
    t.match(server.notices, [/^The disk of the allocation takes no more output of step 0/])
    t.match(server.finished(1), { state: 'succeeded' }, 'the next step has what room there is')
    t.same([server.violations, server.checkOutputs()], [[], []])
  },
)
