import t from 'tap'
import { aTask, runToEnd } from './support/agent.ts'

t.test(
  'later layers overwrite earlier ones, the step comes last, values are literal',
  async (t) => {
    const { server } = await runToEnd(
      t,
      aTask({
        environment: [
          { layer: 'builtin', values: { A: 'built in', B: 'built in', CI: 'true' } },
          { layer: 'job', values: { B: 'job', C: '$A ~ `id`' } },
        ],
        steps: [{ command: 'echo "$A|$B|$C|$D|$CI"', environment: { D: 'step' } }, 'echo "[$D]"'],
      }),
    )
    t.equal(server.output(0).toString(), 'built in|job|$A ~ `id`|step|true\n')
    t.equal(server.output(1).toString(), '[]\n')
  },
)

t.test('nothing internal is visible to a step', async (t) => {
  const { server } = await runToEnd(t, aTask({ steps: ['env'] }), {
    environment: {
      PATH: process.env['PATH'],
      CARAVAN_URL: 'http://example.org',
      CARAVAN_CLAIM_TOKEN: 'tell-nobody',
      NOMAD_TOKEN: 'tell-nobody',
      NOMAD_ALLOC_ID: 'allocation',
      HOST_SETTING: 'kept',
    },
  })
  const seen = server.output(0).toString()
  t.notMatch(seen, /CARAVAN_|NOMAD_|tell-nobody/)
  t.match(seen, /^HOST_SETTING=kept$/m)
  t.match(seen, /^CIRCLE_INTERNAL_TASK_DATA=/m)
})

t.test('the circleci command is found whatever a step makes of PATH', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [{ command: 'command -v circleci-agent', environment: { PATH: '/bin:/usr/bin' } }],
    }),
  )
  t.match(server.output(0).toString(), /\/bin\/circleci-agent\n$/)
})

t.test('what a step exports into BASH_ENV is there in later steps only', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        `echo 'export GREETING=hello' >> "$BASH_ENV"; echo "[$GREETING]"`,
        {
          command: 'echo "[$GREETING]"; bash -c \'echo "[$GREETING]"\'',
          environment: { GREETING: 'step' },
        },
        { command: 'echo "[$GREETING]"', shell: '/bin/sh' },
        { command: 'echo "[$GREETING]"', environment: { BASH_ENV: '/nonexistent' } },
      ],
    }),
  )
  t.equal(server.output(0).toString(), '[]\n')
  t.equal(server.output(1).toString(), '[hello]\n[hello]\n', 'the file beats the step')
  t.equal(server.output(2).toString(), '[]\n', 'sh does not read it')
  t.equal(server.output(3).toString(), '[]\n', 'a missing file is no error')
})

t.test('exit in BASH_ENV ends a step, and a file that bash can not parse is told', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        'ls -l "$BASH_ENV" | cut -c1-10; echo "if then" > "$BASH_ENV"',
        'echo ran all the same; echo "exit 9" > "$BASH_ENV"',
        'echo never',
      ],
    }),
  )
  t.equal(server.output(0).toString(), '-rw-------\n')
  t.match(server.output(1).toString(), /ran all the same\n$/)
  t.match(server.notices, [/^Bash can not parse what step 0 left in \$BASH_ENV: .*line 1/])
  t.match(server.finished(2), { state: 'failed', exit_code: 9, output: { length: 0 } })
})

t.test('what is too large for an exec is named', async (t) => {
  const large = 'x'.repeat(131_073)
  const many = Object.fromEntries(
    Array.from({ length: 20 }, (_, n) => [`V${n}`, 'y'.repeat(110_000)]),
  )
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        { command: 'true', environment: { HUGE: large } },
        { command: 'true', environment: many, when: 'always' },
        { command: `: ${large}`, name: 'long', shell: 'sh -c', when: 'always' },
      ],
    }),
  )
  t.match(server.output(0).toString(), /the environment variable HUGE is too large: \d+ bytes/)
  t.match(
    server.output(1).toString(),
    /the environment is too large: .* the largest variable is V\d+/,
  )
  t.match(server.output(2).toString(), /the command is too long to be an argument/)
  t.equal(server.finished(0)?.reason, 'config_error')
})

t.test('C-29: secrets are masked in output, names, notices and the end', async (t) => {
  const { server, log } = await runToEnd(
    t,
    aTask({
      mask: ['s3cret-value', 'abc'],
      environment: [{ layer: 'context', values: { PASSWORD: 's3cret-value' } }],
      steps: [
        {
          command: 'echo "<$PASSWORD> abc"; printf s3cret-; sleep 0.1; printf value; exit 2',
          name: 'use s3cret-value',
        },
      ],
    }),
  )
  t.equal(server.output(0).toString(), '<****> abc\n****')
  t.match(server.notices, [/^1 secret values are not masked/])
  t.match(server.sliceFinished, { detail: 'step 0 (use ****) ended with exit code 2' })
  t.notMatch(JSON.stringify(server.events) + log, /s3cret-value/)
})
