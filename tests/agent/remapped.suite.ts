/** An engine as nodes have it: its users are not those of the machine, and its disk has an end. */
import t from 'tap'
import { runToEnd } from '../build-agent/support/agent.ts'
import { aContainerTask, always, SERVICE, withDocker } from './support/docker.ts'
import { startEngine } from './support/engine.ts'

const FIRST_USER = 200_000

await withDocker(async () => {
  if (process.getuid?.() !== 0) {
    t.pass('', { skip: 'only root can start an engine of its own' })
    return
  }
  const engine = await startEngine(t, { disk: '160m', firstUser: FIRST_USER })
  const { environment } = engine

  t.test('with user namespaces steps work as without', async (t) => {
    const task = aContainerTask({
      services: [{ image: SERVICE }],
      steps: [
        'cat /proc/self/uid_map; echo "export LATER=kept" >> "$BASH_ENV"; echo x > file',
        'echo "$LATER"; cat file; id -u; exit 3',
        always('circleci-agent step halt'),
        always('echo never'),
      ],
    })
    const { server, log } = await runToEnd(t, task, { environment })
    t.match(server.output(2).toString(), new RegExp(`^\\s*0\\s+${FIRST_USER}\\s+65536\\n`), log)
    t.equal(server.output(3).toString(), 'kept\nx\n0\n')
    t.match(server.finished(3), { state: 'failed', exit_code: 3 })
    t.equal(server.finished(4)?.state, 'succeeded')
    t.equal(server.finished(5)?.state, 'skipped')
    t.equal(await engine.docker('ps', '--all', '--quiet'), '')
  })

  t.test('with user namespaces a step that ignores TERM is killed', async (t) => {
    const command = { command: 'trap "" TERM; echo on; sleep 1000', no_output_timeout_ms: 500 }
    const task = aContainerTask({ steps: [command] })
    const { server } = await runToEnd(t, task, { environment, timings: { graceMs: 200 } })
    t.match(server.finished(1), { state: 'timed_out', reason: 'no_output', signal: 'SIGKILL' })
  })

  t.test(
    'C-62: a step in a container that fills the disk is told so, and the next runs',
    async (t) => {
      const task = aContainerTask({
        steps: ['seq 1 20000; head -c 300000000 /dev/zero > large', always('rm large; echo room')],
      })
      const { server, log } = await runToEnd(t, task, { environment })
      t.match(server.finished(1), { state: 'failed', exit_code: 1, reason: 'disk_full' }, log)
      t.match(server.output(1).toString(), /\n20000\n.*caravan: the disk of \S+project is full\n/s)
      t.equal(server.output(2).toString(), 'room\n')
      t.match(server.sliceFinished, { result: 'failed', reason: 'disk_full' })
      t.equal(await engine.docker('ps', '--all', '--quiet'), '')
    },
  )
})
