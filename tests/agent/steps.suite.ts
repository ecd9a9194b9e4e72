import t from 'tap'
import { aStep, runToEnd } from '../build-agent/support/agent.ts'
import {
  aContainerTask,
  always,
  APP,
  firstStep,
  leftovers,
  SERVICE,
  withDocker,
} from './support/docker.ts'

await withDocker(() => {
  t.test('steps run in the primary container, and nothing of it is left', async (t) => {
    const task = aContainerTask({
      primary: { environment: { OF_CONTAINER: 'yes' } },
      steps: [
        'echo "$FROM_IMAGE $OF_CONTAINER"; pwd; echo err >&2',
        'echo "export LATER=kept" >> "$BASH_ENV"; echo x > file',
        'echo "$LATER"; cat file; test -f /etc/passwd; grep -c circleci /etc/passwd',
      ],
    })
    const { server, code, log } = await runToEnd(t, task)
    const first = firstStep(task)
    t.equal(code, 0, log)
    t.match(server.output(0).toString(), new RegExp(`^${APP}: is here already`))
    t.equal(server.output(first).toString(), 'yes yes\n/root/project\nerr\n')
    t.equal(server.output(first + 2).toString(), 'kept\nx\n1\n')
    t.match(server.sliceFinished, { result: 'succeeded', reason: 'succeeded' })
    t.same(await leftovers(), [])
  })

  t.test('the exit status is the one of the shell', async (t) => {
    const cases: [command: string, exitCode: number, output: string][] = [
      ['false; echo after', 1, ''],
      ['false | true', 1, ''],
      ['exit 300', 44, ''],
      ['yes | head -1', 141, 'y\n'],
      ['kill -TERM $$', 143, ''],
      ['kill -KILL $$', 137, ''],
      ['kill -KILL 0', 137, ''],
      ['trap "exit 7" TERM; kill -TERM $$; sleep 5', 7, ''],
      ['echo to-a-device > /dev/stderr', 0, 'to-a-device\n'],
      ['read line || echo no input', 0, 'no input\n'],
      ['no-such-command 2> /dev/null', 127, ''],
      ['ps -o pid,comm | grep -q docker-init', 0, ''],
    ]
    const task = aContainerTask({ steps: cases.map(([command]) => always(command)) })
    const { server } = await runToEnd(t, task)
    for (const [index, [command, exitCode, output]] of cases.entries()) {
      const step = firstStep(task) + index
      t.equal(server.finished(step)?.exit_code, exitCode, command)
      t.equal(server.output(step).toString(), output, command)
    }
  })

  t.test('an image without bash runs its steps under its sh', async (t) => {
    const task = aContainerTask({
      primary: { image: SERVICE },
      steps: ['false | true; echo "not here"', always('echo "$0" | grep -c bash || echo plain')],
    })
    const { server } = await runToEnd(t, task)
    t.equal(server.finished(1)?.exit_code, 1, 'busybox knows pipefail')
    t.equal(server.output(2).toString(), '0\nplain\n')
  })

  t.test('C-73: steps run as the user of the container', async (t) => {
    const task = aContainerTask({
      primary: { user: 'circleci' },
      steps: ['id -u; pwd; echo "export A=b" >> $BASH_ENV', 'echo $A'],
    })
    const { server, log } = await runToEnd(t, task)
    t.equal(server.output(1).toString(), '3434\n/home/circleci/project\n', log)
    t.equal(server.output(2).toString(), 'b\n')
  })

  t.test('a step ends the job early, and what is not known is answered clearly', async (t) => {
    const task = aContainerTask({
      steps: ['circleci tests split || test $? = 2', 'circleci-agent step halt', 'echo never'],
    })
    const { server } = await runToEnd(t, task)
    t.match(server.output(1).toString(), /circleci: 'tests split' is not supported in a container/)
    t.equal(server.finished(2)?.state, 'succeeded')
    t.equal(server.finished(3)?.state, 'skipped')
    t.match(server.sliceFinished, { result: 'succeeded', reason: 'halted' })
  })

  t.test('the working directory of the job is made, wherever it is', async (t) => {
    for (const [given, seen] of [
      ['~/a b', '/root/a b'],
      ['below', '/root/below'],
      ['/opt/x/../$HOME', '/opt/$HOME'],
    ] as const) {
      const task = aContainerTask({ working_directory: given, steps: ['pwd'] })
      const { server } = await runToEnd(t, task)
      t.equal(server.output(1).toString(), `${seen}\n`)
    }
    const working_directory = '/proc/none'
    const { server } = await runToEnd(t, aContainerTask({ working_directory }))
    t.match(server.output(0).toString(), /\/proc\/none can not be made in the container: /)
    t.match(server.sliceFinished, { result: 'failed', reason: 'config_error' })
  })

  t.test('a missing working directory is named, and a huge variable refused', async (t) => {
    const task = aContainerTask({
      steps: [
        { command: 'true', working_directory: 'not/there' },
        { ...always('true'), environment: { HUGE: 'x'.repeat(140_000) } },
        { ...always('echo ${#LARGE}'), environment: { LARGE: 'x'.repeat(130_000) } },
      ],
    })
    const { server } = await runToEnd(t, task)
    t.match(
      server.output(1).toString(),
      /working directory \/root\/project\/not\/there does not exist/,
    )
    t.equal(server.finished(1)?.reason, 'config_error')
    t.match(server.output(2).toString(), /variable HUGE is too large/)
    t.equal(server.output(3).toString(), '130000\n')
  })

  t.test('exit in BASH_ENV ends a step inside, and what bash can not parse is told', async (t) => {
    const task = aContainerTask({
      steps: [
        'echo "if then" > "$BASH_ENV"',
        'echo ran all the same; echo "exit 9" > "$BASH_ENV"',
        'echo never',
      ],
    })
    const { server, log } = await runToEnd(t, task)
    t.match(server.output(2).toString(), /ran all the same\n$/, log)
    t.match(server.notices, [/^Bash can not parse what step 1 left in \$BASH_ENV: .*line 1/])
    t.match(server.finished(3), { state: 'failed', exit_code: 9, output: { length: 0 } })
  })

  t.test('what a step leaves behind is collected when it ends', async (t) => {
    const count =
      'n=0; for s in /proc/[0-9]*/stat; do case "$(cat $s 2> /dev/null)" in *") Z "*) n=$((n+1));; esac; done; echo "$n"'
    const task = aContainerTask({
      steps: ['for i in 1 2 3 4 5; do (sleep 0.1 &); done; sleep 1', count],
    })
    const { server } = await runToEnd(t, task)
    t.equal(server.output(2).toString(), '0\n')
  })

  t.test('a daemon that a step leaves runs on for the next, and goes with the job', async (t) => {
    const task = aContainerTask({
      steps: [
        '(while :; do date > /tmp/beat; sleep 0.1; done) > /dev/null 2>&1 &',
        'rm -f /tmp/beat; sleep 1; test -f /tmp/beat && echo beats',
        aStep({ command: 'while :; do sleep 1; done', background: true }),
        'echo done',
      ],
    })
    const { server } = await runToEnd(t, task)
    t.equal(server.output(2).toString(), 'beats\n')
    t.equal(server.finished(3)?.state, 'succeeded')
    t.match(server.sliceFinished, { result: 'succeeded' })
    t.same(await leftovers(), [])
  })
})
