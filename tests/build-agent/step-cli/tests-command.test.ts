import t from 'tap'
import { aTask, runToEnd } from '../support/agent.ts'

const FILES =
  'mkdir -p t/sub; for f in a b c d; do echo $f > t/$f.test.js; done; echo x > t/sub/e.test.js; echo x > t/.hidden.js'

t.test('glob and split work inside a step, with index and total of the slice', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      environment: [
        { layer: 'builtin', values: { CIRCLE_NODE_INDEX: '1', CIRCLE_NODE_TOTAL: '2' } },
      ],
      steps: [
        FILES,
        'circleci tests glob "t/**/*.test.js" "t/a*"',
        'circleci tests glob "t/*.test.js" | circleci tests split 2> err; cat err',
        'circleci-agent tests glob "t/{a,b}.test.js" | circleci tests split --split-by=timings --index 0 --total 1',
        'printf "big\\nsmall\\nmid\\n" | while read n; do echo $n; done > list; echo 12345678 > big; echo 1 > small; echo 12345 > mid; circleci tests split --split-by filesize --show-counts list',
      ],
    }),
  )
  t.equal(
    server.output(1).toString(),
    't/a.test.js\nt/b.test.js\nt/c.test.js\nt/d.test.js\nt/sub/e.test.js\n',
  )
  t.equal(server.output(2).toString(), 't/b.test.js\nt/d.test.js\n')
  t.equal(
    server.output(3).toString(),
    'Error auto-detecting timing type, falling back to weighting by name.\nt/a.test.js\nt/b.test.js\n',
  )
  t.equal(server.output(4).toString(), 'slice 0: 1 tests\nslice 1: 2 tests\nsmall\nmid\n')
})

t.test('run feeds the share to the command, and does not start it for nothing', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        'printf "a\\nb\\nc\\n" | circleci tests run --command "xargs echo ran" --index 0 --total 2 --verbose',
        'printf "a\\n" | circleci tests run --command "echo never" --index 1 --total 2',
        { command: 'echo a | circleci tests run --command "exit 7"', when: 'always' },
      ],
    }),
  )
  t.match(server.output(0).toString(), /\$ xargs echo ran\na\nc\n.*ran a c\n/s)
  t.equal(server.output(1).toString(), 'This slice has no tests to run.\n')
  t.equal(server.finished(2)?.exit_code, 7)
})

t.test('what is not known is refused and said', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        'circleci orb list',
        'circleci tests split --split-by luck < /dev/null',
        'circleci tests split --index 3 < /dev/null',
        'circleci tests',
      ].map((command) => ({ command, when: 'always' })),
    }),
  )
  t.match(
    server.output(0).toString(),
    /^circleci: 'orb list' is not supported here\. There are: tests glob/,
  )
  t.match(server.output(1).toString(), /--split-by luck is not known/)
  t.match(server.output(2).toString(), /--index 3 is not below --total 1/)
  t.match(server.output(3).toString(), /^circleci tests glob PATTERN/)
  for (const step of [0, 1, 2, 3]) t.equal(server.finished(step)?.exit_code, 2)
})
