import fc from 'fast-check'
import t from 'tap'
import type { JobSpec } from '../../../src/model/index.ts'
import { printJobs, withoutPasswords } from '../../../src/scheduler/config/print.ts'
import { compiled } from './support.ts'

const JOB: JobSpec = {
  name: 'test',
  executor: {
    kind: 'docker',
    containers: [
      {
        image: 'cimg/node:22.1',
        environment: {},
        auth: { username: 'me', password: '$TOKEN' },
      },
      {
        image: 'postgres',
        name: 'db',
        command: [],
        entrypoint: ['a b', 'c'],
        environment: { A: '1' },
      },
    ],
  },
  resource_class: 'large',
  parallelism: 4,
  environment: { VERSION: '1.10', TRUE: 'true' },
  working_directory: '~/project',
  shell: 'bash -e',
  steps: [
    { kind: 'checkout', name: 'Checkout code', path: 'src' },
    {
      kind: 'run',
      name: 'Tests',
      command: 'npm ci\ncat <<EOF\nx\nEOF\n',
      environment: { B: '' },
      when: 'always',
      no_output_timeout_ms: 5_400_000,
      background: false,
      max_auto_reruns: 2,
      auto_rerun_delay_ms: 1500,
    },
    {
      kind: 'run',
      name: 'serve',
      command: 'serve',
      environment: {},
      when: 'on_success',
      background: true,
    },
  ],
}

t.test('a job is printed as a person would write it', async (t) => {
  t.equal(
    printJobs([JOB]),
    `version: 2.1
jobs:
  test:
    docker:
      - image: cimg/node:22.1
        auth:
          username: me
          password: $TOKEN
      - image: postgres
        name: db
        command: []
        entrypoint:
          - a b
          - c
        environment:
          A: "1"
    resource_class: large
    parallelism: 4
    working_directory: ~/project
    shell: bash -e
    environment:
      VERSION: "1.10"
      "TRUE": "true"
    steps:
      - checkout:
          name: Checkout code
          path: src
      - run:
          name: Tests
          command: |
            npm ci
            cat \\<<EOF
            x
            EOF
          environment:
            B: ""
          when: always
          no_output_timeout: 90m
          max_auto_reruns: 2
          auto_rerun_delay: 1500ms
      - run:
          command: serve
          when: on_success
          background: true
`,
  )
  t.strictSame(compiled(printJobs([JOB])), JOB)
})

t.test('a password that stands in the file is not printed', async (t) => {
  const auth = { username: 'me', password: 'hunter2' }
  const secret: JobSpec = {
    ...JOB,
    executor: { kind: 'docker', containers: [{ image: 'x', environment: {}, auth }] },
  }
  t.notMatch(printJobs([secret]), 'hunter2')
  t.strictSame(compiled(printJobs([secret])), withoutPasswords(secret))
  t.equal(auth.password, 'hunter2')
})

/** Characters that mean something to YAML or to the language. */
const MEANINGFUL = '<>\\\n\r\t #:-"\'|&*!%@`~{}[],x0$\u0085\u2028'.split('')

t.test('whatever its texts hold, what is printed means the same job', async (t) => {
  const text = fc
    .oneof(
      fc.string({ minLength: 1, unit: 'grapheme' }),
      fc.string({
        minLength: 1,
        unit: fc.constantFrom(...MEANINGFUL),
      }),
      fc.constantFrom('true', 'null', '~', '0123', '1e3', '<<', '\\<<', '- a', 'a: b', '=', '...'),
    )
    .filter((each) => each.trim() !== '' && !each.includes('\0') && each.isWellFormed())
  const property = fc.property(text, text, text, (name, command, value) => {
    const job: JobSpec = {
      ...JOB,
      environment: { VALUE: value },
      steps: [
        { kind: 'run', name, command, environment: {}, when: 'on_success', background: true },
      ],
    }
    t.strictSame(compiled(printJobs([job])), job)
  })
  fc.assert(property, { numRuns: 400 })
})
