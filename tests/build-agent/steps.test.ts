import t from 'tap'
import type { RunStep } from '../../src/model/index.ts'
import { aStep, aTask, runToEnd, startAgent } from './support/agent.ts'
import { ProtocolServer } from './support/protocol-server.ts'

t.test('steps run in order and their bytes arrive as they were written', async (t) => {
  const steps = ['echo one; echo two >&2; echo three', String.raw`printf 'a\xfeb\xff\0'`]
  const { server, code, log } = await runToEnd(t, aTask({ steps }))
  t.equal(code, 0)
  t.equal(server.output(0).toString(), 'one\ntwo\nthree\n')
  t.same(server.output(1), Buffer.from([0x61, 0xfe, 0x62, 0xff, 0x00]))
  t.match(server.sliceFinished, { result: 'succeeded', reason: 'succeeded' })
  t.match(log, /step started step=0 /)
  t.match(log, /step finished step=1 .*state=succeeded exit=0/)
})

t.test('the exit status is the one that bash gives', async (t) => {
  const cases: [command: string, exitCode: number, output: string, signal?: string][] = [
    ['false; echo after', 1, ''],
    ['false | true', 1, ''],
    ['set +e; false; true', 0, ''],
    ['set +o pipefail; false | true', 0, ''],
    ['if false; then :; fi; echo ok', 0, 'ok\n'],
    ['false || true', 0, ''],
    ['false && true; echo reached', 0, 'reached\n'],
    ['! true; echo reached', 0, 'reached\n'],
    ['x=$(false); echo after', 1, ''],
    ['f() { local y=$(false); echo after; }; f', 0, 'after\n'],
    ['(exit 3); echo x', 3, ''],
    ['exit 300', 44, ''],
    ['exit -1', 255, ''],
    ['yes | head -1', 141, 'y\n'],
    ['kill -TERM $$', 143, '', 'SIGTERM'],
    ['kill -KILL $$', 137, '', 'SIGKILL'],
    ['exit 137', 137, ''],
    ['trap "exit 7" TERM; kill -TERM $$; sleep 5', 7, ''],
    ['echo to-a-device > /dev/stderr', 0, 'to-a-device\n'],
    ['read line || echo no input', 0, 'no input\n'],
  ]
  const steps = cases.map(([command]): Partial<RunStep> => ({ command, when: 'always' }))
  const { server } = await runToEnd(t, aTask({ steps }))
  for (const [index, [command, exitCode, output, signal]] of cases.entries()) {
    const finished = server.finished(index)
    t.equal(finished?.exit_code, exitCode, command)
    t.equal(finished?.signal, signal ?? null, command)
    t.equal(finished?.reason, exitCode === 0 ? null : signal ? 'signal' : 'exit_code', command)
    t.equal(server.output(index).toString(), output, command)
  }
  t.match(server.sliceFinished, {
    result: 'failed',
    reason: 'exit_code',
    detail: /^step 0 \(false; echo/,
  })
})

t.test('an unknown command is 127 and one that may not be run 126', async (t) => {
  const steps: Partial<RunStep>[] = [
    { command: 'no-such-command-here' },
    { command: 'touch plain; ./plain', when: 'always' },
  ]
  const { server } = await runToEnd(t, aTask({ steps }))
  t.equal(server.finished(0)?.exit_code, 127)
  t.equal(server.finished(1)?.exit_code, 126)
})

t.test('after a failure only always and on_fail run, and the slice has failed', async (t) => {
  const { server, code } = await runToEnd(
    t,
    aTask({
      steps: [
        { command: 'echo early', when: 'on_fail' },
        { command: 'exit 5', name: 'breaks' },
        { command: 'echo never' },
        { command: 'echo cleanup', when: 'always' },
        { command: 'echo blame; exit 6', when: 'on_fail' },
      ],
    }),
  )
  t.equal(code, 0, 'a failed slice is a finished one')
  t.same(states(server, 5), ['skipped', 'failed', 'skipped', 'succeeded', 'failed'])
  t.match(server.sliceFinished, {
    result: 'failed',
    reason: 'exit_code',
    detail: 'step 1 (breaks) ended with exit code 5',
  })
})

t.test('a failing always step fails a slice that was fine', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({ steps: ['true', { command: 'exit 4', when: 'always' }] }),
  )
  t.match(server.sliceFinished, { result: 'failed', detail: /exit code 4/ })
})

t.test('step halt ends the job as a success once the command is done', async (t) => {
  for (const command of ['circleci-agent step halt', 'circleci step halt', 'circleci task halt']) {
    const { server } = await runToEnd(
      t,
      aTask({
        steps: [
          `${command}; echo still running`,
          'echo never',
          { command: 'echo never', when: 'always' },
        ],
      }),
    )
    t.same(states(server, 3), ['succeeded', 'skipped', 'skipped'], command)
    t.equal(server.output(0).toString(), 'still running\n')
    t.match(server.sliceFinished, { result: 'succeeded', reason: 'halted' })
  }
})

t.test('halting mends no failure', async (t) => {
  const { server } = await runToEnd(t, aTask({ steps: ['circleci step halt; exit 3', 'true'] }))
  t.same(states(server, 2), ['failed', 'skipped'])
  t.match(server.sliceFinished, { result: 'failed', reason: 'exit_code' })
})

t.test('a step that fails is run again as often as it asks for', async (t) => {
  const flaky = 'echo x >> ~/tries; echo "try $(wc -l < ~/tries)"; test "$(wc -l < ~/tries)" = 3'
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        { command: flaky, max_auto_reruns: 5, auto_rerun_delay_ms: 50 },
        { command: 'echo once; kill -KILL $$', max_auto_reruns: 1 },
        { command: 'echo fine', max_auto_reruns: 5, when: 'always' },
      ],
    }),
  )
  t.match(server.finished(0), { state: 'succeeded', exit_code: 0 })
  t.equal(
    server.output(0).toString(),
    'try 1\ncaravan: ended with exit code 1, is run again in 50ms (1 of 5)\n' +
      'try 2\ncaravan: ended with exit code 1, is run again in 50ms (2 of 5)\ntry 3\n',
  )
  t.match(server.finished(1), { state: 'failed', signal: 'SIGKILL' })
  t.equal(
    server.output(1).toString(),
    'once\ncaravan: ended with SIGKILL, is run again (1 of 1)\nonce\n',
  )
  t.equal(server.output(2).toString(), 'fine\n')
  t.match(server.sliceFinished, { result: 'failed', reason: 'signal' })
})

t.test(
  'what was silent or could not be run is not run again, a cancel ends the wait',
  async (t) => {
    const { server } = await runToEnd(
      t,
      aTask({
        steps: [
          { command: 'sleep 30', max_auto_reruns: 5, no_output_timeout_ms: 100 },
          { command: 'x', max_auto_reruns: 5, working_directory: 'gone', when: 'always' },
        ],
      }),
    )
    t.match(server.finished(0), { state: 'timed_out' })
    t.notMatch(server.output(0).toString(), 'run again')
    t.match(server.finished(1), { state: 'failed', reason: 'config_error' })
    t.notMatch(server.output(1).toString(), 'run again')

    const steps = [{ command: 'exit 7', max_auto_reruns: 1, auto_rerun_delay_ms: 60_000 }]
    const waiting = await ProtocolServer.start(t, { task: aTask({ steps }) })
    const agent = await startAgent(t, waiting)
    await waiting.until(() => waiting.output(0).toString().includes('run again'))
    waiting.order({ action: 'cancel', reason: 'canceled_by_user' })
    t.equal(await agent.exit, 0)
    t.match(waiting.finished(0), { state: 'failed', exit_code: 7 })
    t.match(waiting.sliceFinished, { result: 'canceled' })
  },
)

t.test('a job in containers on a node without Docker says what it needs', async (t) => {
  const executor = { kind: 'docker' as const, containers: [{ image: 'x', environment: {} }] }
  const environment = { kind: 'environment' as const, name: 'Spin up environment' }
  const task = { ...aTask({ executor }), steps: [environment, aStep({ command: 'echo never' })] }
  const nowhere = { PATH: process.env['PATH'], DOCKER_HOST: 'unix:///no/such/docker.sock' }
  const { server } = await runToEnd(t, task, { environment: nowhere })
  t.match(server.sliceFinished, { result: 'infrastructure_failed', reason: 'executor_lost' })
  t.match(server.output(0).toString(), /ENOENT .*docker\.sock/)
  t.match(server.output(0).toString(), /needs a Docker Engine on the node; `caravan run --executor/)
  t.equal(server.finished(1)?.state, 'skipped')
})

t.test('a background step runs beside the others and ends with the job', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        { command: 'echo up > ~/up; echo serving; sleep 60', background: true },
        'while [ ! -e ~/up ]; do sleep 0.05; done; echo found',
      ],
    }),
  )
  t.match(server.finished(0), { state: 'succeeded', signal: 'SIGTERM', reason: null })
  t.equal(server.output(0).toString(), 'serving\n')
  t.equal(server.output(1).toString(), 'found\n')
  t.match(server.sliceFinished, { result: 'succeeded' })
})

t.test('a background step may be silent only as long as it says itself', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        {
          command: 'trap "echo over > ~/over" TERM; sleep 60 & wait; exit 1',
          background: true,
          no_output_timeout_ms: 3000, // The shell has to come to its trap before.
        },
        'while [ ! -e ~/over ]; do sleep 0.05; done',
      ],
    }),
  )
  t.match(server.finished(0), { state: 'timed_out', reason: 'no_output' })
  t.match(server.finished(1), { state: 'succeeded' })
  t.match(server.sliceFinished, { result: 'succeeded' })
})

t.test('a background step that dies is shown as failed and fails nobody else', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        { command: 'touch ~/gone; exit 9', background: true },
        'while [ ! -e ~/gone ]; do sleep 0.05; done; sleep 0.2',
      ],
    }),
  )
  t.match(server.finished(0), { state: 'failed', exit_code: 9, reason: 'exit_code' })
  t.match(server.sliceFinished, { result: 'succeeded', reason: 'succeeded' })
})

t.test('the shell of the step comes before that of the job', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      shell: '/bin/sh -e',
      steps: [
        { command: 'set -o | grep -c "pipefail *on" || true' },
        { command: 'BEGIN { print 1 + 1 }', shell: `"awk" '-f'` },
        { command: 'echo "as text: $0"', shell: '/bin/sh -ec' },
        { command: 'true', shell: 'sh -c "open', when: 'always' },
      ],
    }),
  )
  t.equal(server.output(0).toString(), '0\n')
  t.equal(server.output(1).toString(), '2\n')
  t.equal(server.output(2).toString(), 'as text: /bin/sh\n')
  t.match(server.output(3).toString(), /the shell "sh -c "open" has an open quote/)
  t.match(server.finished(3), { state: 'failed', reason: 'config_error', exit_code: null })
  const shells = server.events.flatMap((event) =>
    event.type === 'step_started' ? [event.shell] : [],
  )
  t.equal(shells[0], '/bin/sh -e')
})

t.test('C-38: a command may be longer than an argument can be', async (t) => {
  const long = `: ${'x'.repeat(300_000)}\necho done`
  const { server } = await runToEnd(t, aTask({ steps: [{ command: long, name: 'long' }] }))
  t.equal(server.output(0).toString(), 'done\n')
})

t.test('a missing working directory is named', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({ steps: [{ command: 'pwd', working_directory: 'sub/dir' }] }),
  )
  t.match(
    server.output(0).toString(),
    /the working directory \S+\/home\/project\/sub\/dir does not exist/,
  )
  t.match(server.finished(0), { state: 'failed', reason: 'config_error' })
})

t.test('working directories are relative to the job, and ~ is the home of the slice', async (t) => {
  const { server, agent } = await runToEnd(
    t,
    aTask({
      working_directory: '~/code',
      steps: [
        'pwd; mkdir sub; mkdir ~/other',
        { command: 'pwd', working_directory: 'sub' },
        { command: 'pwd', working_directory: '~/other' },
        'echo "$HOME $CIRCLE_WORKING_DIRECTORY"',
      ],
    }),
  )
  const home = `${agent.allocation.taskDir}/home`
  t.equal(server.output(0).toString(), `${home}/code\n`)
  t.equal(server.output(1).toString(), `${home}/code/sub\n`)
  t.equal(server.output(2).toString(), `${home}/other\n`)
  t.equal(server.output(3).toString(), `${home} ${home}/code\n`)
})

function states(server: { finished(step: number): { state: string } | undefined }, count: number) {
  return Array.from({ length: count }, (_, step) => server.finished(step)?.state)
}
