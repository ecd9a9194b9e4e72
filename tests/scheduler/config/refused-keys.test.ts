import t from 'tap'
import { DOCKER_KEYS } from '../../../src/scheduler/config/docker.ts'
import { JOB_KEYS } from '../../../src/scheduler/config/job.ts'
import { MACHINE_KEYS } from '../../../src/scheduler/config/machine.ts'
import { CHECKOUT_KEYS, RUN_KEYS } from '../../../src/scheduler/config/run.ts'
import { STEP_KEYS } from '../../../src/scheduler/config/steps.ts'
import type { Table } from '../../../src/scheduler/config/table.ts'
import { jobWith, refusals, runWith } from './support.ts'

const STEPS = 'machine: true\nsteps:'

/** One mistake in a job, and what is said of it. */
const IN_A_JOB: [string, string][] = [
  [
    'steps: [checkout]',
    '3:3: the job does not say what runs it (jobs.test): ' +
      'add `docker` with an image, or `machine: true`',
  ],
  [
    'machine: true\ndocker: [{image: x}]\nsteps: [checkout]',
    '4:5: `docker` and `machine` both say what runs it (jobs.test): remove one of them',
  ],
  ['machine: true', '3:3: the job has no `steps` (jobs.test)'],
  ['machine: true\nsteps: []', '5:12: a job needs at least one step (jobs.test.steps)'],
  ['machine: true\nsteps: checkout', '5:12: not a list of steps but `checkout` (jobs.test.steps)'],
  [
    'machine: false\nsteps: [checkout]',
    '4:14: a machine that is not enabled runs nothing (jobs.test.machine): write `machine: true`',
  ],
  [
    'machine: default\nsteps: [checkout]',
    '4:14: not `true` or `false`: `default` (jobs.test.machine)',
  ],
  [
    'machine: {image: "windows-server-2022-gui:current"}\nsteps: [checkout]',
    '4:22: not supported yet: the Windows image `windows-server-2022-gui:current` ' +
      '(jobs.test.machine.image): there are no Windows clients',
  ],
  [
    'machine: {shell: bash}\nsteps: [checkout]',
    '4:15: not supported yet: `shell` (jobs.test.machine.shell): ' +
      'write it one level up, as a key of the job',
  ],
  [
    'macos: {xcode: 16.0.0}\nsteps: [checkout]',
    '4:5: not supported yet: `macos` (jobs.test.macos): there are no macOS clients',
  ],
  [
    'docker: [{image: x}]\nsteps: [checkout, {setup_remote_docker: {version: default}}]',
    '5:24: not supported yet: `setup_remote_docker` (jobs.test.steps[1].setup_remote_docker): ' +
      'with `machine: true` the Docker of the client is at hand',
  ],
  ['type: approval', '4:11: not supported yet: a job of type `approval` (jobs.test.type)'],
  [
    'paralelism: 4\nmachine: true\nsteps: [checkout]',
    '4:5: unknown key `paralelism` (jobs.test.paralelism): did you mean `parallelism`?',
  ],
  [
    'env: {A: 1}\nmachine: true\nsteps: [checkout]',
    '4:5: unknown key `env` (jobs.test.env): did you mean `environment`?',
  ],
  [
    'resource_class: xlarge\nmachine: true\nsteps: [checkout]',
    '4:21: unknown resource class `xlarge` (jobs.test.resource_class): ' +
      'known are `small`, `medium`, `large`, `massive`; ' +
      'others need a `class` in the settings of the server',
  ],
  [
    'working_directory: ~bob/x\nmachine: true\nsteps: [checkout]',
    '4:24: the home of another user cannot be named: `~bob/x` (jobs.test.working_directory): ' +
      'write `~/...` or a full path',
  ],
  ['shell: ""\nmachine: true\nsteps: [checkout]', '4:12: the value is empty (jobs.test.shell)'],
  ['shell: [bash]\nmachine: true\nsteps: [checkout]', '4:12: not a text: a list (jobs.test.shell)'],
  [
    'machine: true\nsteps: [checkout]\nmachine: true',
    '6:5: the key `machine` stands twice in one map (jobs.test)',
  ],
  [
    `${STEPS} [chekout]`,
    '5:13: unknown step `chekout` (jobs.test.steps[0]): did you mean `checkout`?',
  ],
  [
    `${STEPS} [./test.sh]`,
    '5:13: unknown step `./test.sh` (jobs.test.steps[0]): write a command as `run: ...`',
  ],
  [
    `${STEPS}\n  - type: checkout`,
    '6:9: unknown step `type` (jobs.test.steps[0].type): write `- checkout`',
  ],
  [`${STEPS} [run]`, '5:13: a `run` step needs a `command` (jobs.test.steps[0])'],
  [`${STEPS} [run: ]`, '5:18: a `run` step needs a `command` (jobs.test.steps[0].run)'],
  [`${STEPS} [run: ""]`, '5:18: the value is empty (jobs.test.steps[0].run)'],
  [
    `${STEPS} [run: [make]]`,
    '5:18: a `run` step is a command or a map, not a list (jobs.test.steps[0].run)',
  ],
  [
    `${STEPS} [[checkout]]`,
    '5:13: a step is a name or a map, not a list (jobs.test.steps[0]): ' +
      'a list inside `steps` is not joined to it',
  ],
  [`${STEPS} [{}]`, '5:13: a step without a name (jobs.test.steps[0])'],
  [
    'shell: "bash \'-e"\nmachine: true\nsteps: [checkout]',
    "4:12: the shell has an open quote: `bash '-e`, which is in quotes (jobs.test.shell)",
  ],
  [
    `${STEPS}\n  - run:\n    command: make`,
    '7:9: a step has one key, not `run`, `command` (jobs.test.steps[0]): ' +
      'indent what belongs to `run` further than it',
  ],
  [
    `${STEPS} [checkout, {checkout: {path: ""}}]`,
    '5:41: the value is empty (jobs.test.steps[1].checkout.path)',
  ],
]

/** One mistake in a `run` step, after a good command. */
const IN_A_STEP: [string, string][] = [
  ['nmae: x', '8:11: unknown key `nmae` (jobs.test.steps[0].run.nmae): did you mean `name`?'],
  [
    'when: allways',
    '8:17: not one of `on_success`, `always`, `on_fail`, `on_cancel`: `allways` ' +
      '(jobs.test.steps[0].run.when): did you mean `always`?',
  ],
  [
    'max_auto_reruns: 6',
    '8:28: not a whole number from 1 to 5: `6` (jobs.test.steps[0].run.max_auto_reruns)',
  ],
  [
    'max_auto_reruns: 1\nauto_rerun_delay: 11m',
    '9:29: not a duration above zero and up to 10m0s: `11m` ' +
      '(jobs.test.steps[0].run.auto_rerun_delay)',
  ],
  [
    'auto_rerun_delay: 10s',
    '7:11: `auto_rerun_delay` does nothing without `max_auto_reruns` (jobs.test.steps[0].run): ' +
      'add `max_auto_reruns: 1`, or remove it',
  ],
  [
    'background: true\nmax_auto_reruns: 1',
    '7:11: a step in the background is not run again (jobs.test.steps[0].run): ' +
      'remove `background` or `max_auto_reruns`',
  ],
  [
    'background: true\nwhen: on_cancel',
    '7:11: a step that runs when the job is canceled cannot be in the background ' +
      '(jobs.test.steps[0].run): remove `background`',
  ],
  [
    'background: "true"',
    '8:23: not `true` or `false`: `true`, which is in quotes (jobs.test.steps[0].run.background)',
  ],
  [
    'no_output_timeout: 600',
    '8:30: a duration needs a unit: `600` (jobs.test.steps[0].run.no_output_timeout): ' +
      'write `600s` or `600m`',
  ],
  [
    'no_output_timeout: soon',
    '8:30: not a duration: `soon` (jobs.test.steps[0].run.no_output_timeout): ' +
      'write one such as `10m` or `1h30m`',
  ],
  [
    'no_output_timeout: 0s',
    '8:30: not a duration above zero and up to 168h0m0s: `0s` ' +
      '(jobs.test.steps[0].run.no_output_timeout)',
  ],
  [
    'no_output_timeout: 8d',
    '8:30: not a duration above zero and up to 168h0m0s: `8d` ' +
      '(jobs.test.steps[0].run.no_output_timeout)',
  ],
  [
    'name: "a\\0b"',
    '8:17: the text holds a character that cannot be passed to a process ' +
      '(jobs.test.steps[0].run.name): remove NUL and lone surrogates',
  ],
  [
    'environment: {1A: x}',
    '8:25: not a name of a variable: `1A` (jobs.test.steps[0].run.environment.1A): ' +
      'letters, digits and `_`, not starting with a digit',
  ],
  [
    'environment: {__proto__: x}',
    '8:25: not a name of a variable: `__proto__` (jobs.test.steps[0].run.environment.__proto__): ' +
      'letters, digits and `_`, not starting with a digit',
  ],
  ['environment: {A: [1]}', '8:28: not a text: a list (jobs.test.steps[0].run.environment.A)'],
  ['environment: [A]', '8:25: not a `NAME=value`: `A` (jobs.test.steps[0].run.environment[0])'],
  [
    'environment: A=1',
    '8:24: not a map or list of variables but `A=1` (jobs.test.steps[0].run.environment): ' +
      'write `NAME: value`, a line for each',
  ],
]

t.test('every mistake is told with its line, its key and what to do', async (t) => {
  for (const [lines, expected] of IN_A_JOB)
    t.strictSame(refusals(jobWith(lines)), [expected], lines)
  for (const [lines, expected] of IN_A_STEP) {
    t.strictSame(refusals(runWith(`command: x\n${lines}`)), [expected], lines)
  }
  const missing = refusals(runWith('name: x'))
  t.strictSame(missing, ['7:11: a `run` step needs a `command` (jobs.test.steps[0].run)'])
})

t.test('a misspelt key is not also told to be missing', async (t) => {
  t.strictSame(refusals(runWith('comand: x')), [
    '7:11: unknown key `comand` (jobs.test.steps[0].run.comand): did you mean `command`?',
  ])
})

t.test('parallelism is a whole number in its bounds', async (t) => {
  for (const value of [
    '0',
    '1001',
    '-1',
    '1.5',
    '04',
    'four',
    '"4"',
    '99999999999999999999',
    '[]',
  ]) {
    const [problem, ...rest] = refusals(
      jobWith(`machine: true\nparallelism: ${value}\nsteps: [checkout]`),
    )
    t.match(
      problem,
      /^5:18: not a whole number from 1 to 1000: .*\(jobs\.test\.parallelism\)$/,
      value,
    )
    t.strictSame(rest, [])
  }
  t.strictSame(refusals(jobWith('machine: true\nsteps: [checkout]'), { parallelism: 0 }), [
    '3:3: the parallelism asked for, 0, is not one from 1 to 1000 (jobs.test)',
  ])
})

t.test('every key of the language that is not supported yet is refused by name', async (t) => {
  const places: [Table, (key: string) => string][] = [
    [JOB_KEYS, (key) => jobWith(`${key}: x\nmachine: true\nsteps: [checkout]`)],
    [DOCKER_KEYS, (key) => jobWith(`docker: [{image: x, ${key}: x}]\nsteps: [checkout]`)],
    [MACHINE_KEYS, (key) => jobWith(`machine: {${key}: x}\nsteps: [checkout]`)],
    [STEP_KEYS, (key) => jobWith(`machine: true\nsteps: [{${key}: {}}]`)],
    [STEP_KEYS, (key) => jobWith(`machine: true\nsteps: [${key}]`)],
    [RUN_KEYS, (key) => runWith(`command: x\n${key}: 1`)],
    [CHECKOUT_KEYS, (key) => jobWith(`machine: true\nsteps: [{checkout: {${key}: x}}]`)],
  ]
  for (const [table, toText] of places) {
    for (const [key, row] of Object.entries(table)) {
      if (!('notYet' in row)) continue
      const problems = refusals(toText(key))
      t.equal(problems.length, 1, key)
      t.match(problems[0], `not supported yet: \`${key}\` (jobs.test.`, key)
    }
  }
})
