import t from 'tap'
import { compile, compiled, jobWith, runStep, runWith, warnings } from './support.ts'

t.test('a job with every supported key is compiled as it is written', async (t) => {
  const text = [
    'version: 2.1',
    'jobs:',
    '  test:',
    '    type: build',
    '    description: Runs the tests',
    '    machine: true',
    '    resource_class: large',
    '    parallelism: 4',
    '    working_directory: /srv/work',
    '    shell: /bin/sh -e',
    '    environment: {A: 1}',
    '    steps:',
    '      - checkout:',
    '          path: source',
    '      - run:',
    '          name: Tests',
    '          command: npm test',
    '          shell: bash',
    '          environment: {B: 2}',
    '          working_directory: source',
    '          when: always',
    '          no_output_timeout: 1h30m',
    '          background: true',
  ].join('\n')
  t.strictSame(compiled(text), {
    name: 'test',
    executor: { kind: 'machine' },
    resource_class: 'large',
    parallelism: 4,
    environment: { A: '1' },
    working_directory: '/srv/work',
    shell: '/bin/sh -e',
    steps: [
      { kind: 'checkout', name: 'Checkout code', path: 'source' },
      {
        kind: 'run',
        name: 'Tests',
        command: 'npm test',
        shell: 'bash',
        environment: { B: '2' },
        working_directory: 'source',
        when: 'always',
        no_output_timeout_ms: 5_400_000,
        background: true,
      },
    ],
  })
})

t.test('what is left out has its default', async (t) => {
  const command = 'npm ci\nnpm test\n'
  const text = jobWith(
    'machine: true\nsteps:\n  - checkout\n  - run: |\n      npm ci\n      npm test',
  )
  t.strictSame(compiled(text, { noOutputMs: 42_000 }), {
    name: 'test',
    executor: { kind: 'machine' },
    resource_class: 'medium',
    parallelism: 1,
    environment: {},
    working_directory: '~/project',
    steps: [
      { kind: 'checkout', name: 'Checkout code' },
      {
        kind: 'run',
        name: command,
        command,
        environment: {},
        when: 'on_success',
        no_output_timeout_ms: 42_000,
        background: false,
      },
    ],
  })
})

t.test('the versions 2, 2.0 and 2.1 are read, also in quotes', async (t) => {
  for (const version of ['2', '2.0', '2.1', '"2.1"', "'2'"]) {
    t.equal(compiled(jobWith('machine: true\nsteps: [checkout]', version)).name, 'test', version)
  }
})

t.test('the machine executor has several spellings', async (t) => {
  for (const machine of ['true', 'yes', 'on', 'True', '{}', '{enabled: true}', '{image: "a:b"}']) {
    const job = compiled(jobWith(`machine: ${machine}\nsteps: [checkout]`))
    t.strictSame(job.executor, { kind: 'machine' }, machine)
  }
})

t.test('an image is not used, and a warning says so', async (t) => {
  const text = jobWith('machine:\n  image: ubuntu-2204:current\nsteps: [checkout]')
  t.strictSame(warnings(text), [
    '5:14: the image `ubuntu-2204:current` is not used (jobs.test.machine.image): ' +
      'the steps run on the Nomad client itself',
  ])
})

t.test('variables reach the process as they are written', async (t) => {
  const lines = [
    'A: true',
    'B: 1.10',
    'C: 0123',
    'D: ~',
    'E:',
    'F: " x "',
    'G: $A ${B} ~/x',
    'constructor: c',
    'H: |\n  x\n  y',
  ]
  const environment = lines.map((line) => `  ${line.replaceAll('\n', '\n    ')}`).join('\n')
  const text = jobWith(`machine: true\nsteps: [checkout]\nenvironment:\n${environment}`)
  t.strictSame(compiled(text).environment, {
    A: 'true',
    B: '1.10',
    C: '0123',
    D: '~',
    E: '',
    F: ' x ',
    G: '$A ${B} ~/x',
    constructor: 'c',
    H: 'x\ny\n',
  })
})

t.test('variables may be a list, in which a later name wins', async (t) => {
  const cases: [string, Record<string, string>][] = [
    ['[A=1, "B=x=y z", A=2, C=]', { A: '2', B: 'x=y z', C: '' }],
    ['[{A: 1, B: 2}, A=3]', { A: '3', B: '2' }],
    ['[]', {}],
    ['', {}],
    ['~', {}],
  ]
  for (const [written, expected] of cases) {
    const text = runWith(`command: x\nenvironment: ${written}`)
    t.strictSame(runStep(text).environment, expected, written)
  }
})

t.test('anchors and merges spread what jobs share', async (t) => {
  const text = [
    'version: 2',
    'defaults: &defaults',
    '  machine: true',
    '  parallelism: 2',
    '  environment: &environment {A: 1}',
    'more: &more {environment: {B: 1}, shell: sh}',
    'jobs:',
    '  test:',
    '    <<: *defaults',
    '    <<: *more',
    '    parallelism: 3',
    '    steps:',
    '      - &step {run: {command: x, environment: {<<: *environment, C: 1}}}',
    '      - *step',
  ].join('\n')
  const job = compiled(text)
  t.equal(job.parallelism, 3)
  t.equal(job.shell, 'sh')
  t.strictSame(job.environment, { A: '1' })
  t.strictSame(job.steps[0], job.steps[1])
  t.match(job.steps[1], { environment: { A: '1', C: '1' } })
})

t.test(
  'in version 2.1 \\<< is how a text says <<, before it is a text like any other',
  async (t) => {
    const command = 'command: cat \\<<EOF; cat \\<<< x'
    t.equal(runStep(runWith(command, '2.1')).command, 'cat <<EOF; cat <<< x')
    t.equal(runStep(runWith(command, '2')).command, 'cat \\<<EOF; cat \\<<< x')
    t.equal(runStep(runWith('command: cat <<EOF', '2.0')).command, 'cat <<EOF')
  },
)

t.test('a duration has units, and several of them add up', async (t) => {
  const cases: [string, number][] = [
    ['20m', 1_200_000],
    ['1.25h', 4_500_000],
    ['5s', 5000],
    ['1h30m', 5_400_000],
    ['"90s"', 90_000],
    ['250ms', 250],
    ['7d', 604_800_000],
  ]
  for (const [written, ms] of cases) {
    const step = runStep(runWith(`command: x\nno_output_timeout: ${written}`))
    t.equal(step.no_output_timeout_ms, ms, written)
  }
})

t.test('an empty name is no name', async (t) => {
  t.equal(runStep(runWith('command: make\nname:')).name, 'make')
  t.match(compiled(jobWith('machine: true\nsteps: [{checkout: }]')).steps, [
    { kind: 'checkout', name: 'Checkout code' },
  ])
})

t.test('the caller may override the parallelism', async (t) => {
  const text = jobWith('machine: true\nparallelism: 4\nsteps: [checkout]')
  t.equal(compiled(text, { parallelism: 7 }).parallelism, 7)
})

t.test('classes of the server are known beside those that are built in', async (t) => {
  const classes = new Map([['xl', { name: 'xl', vcpu: 8, memoryMiB: 1, nodeClass: 'n' }]])
  const text = jobWith('machine: true\nresource_class: xl\nsteps: [checkout]')
  t.equal(compiled(text, { classes }).resource_class, 'xl')
})

const TWO_JOBS = [
  'version: 2.1',
  'orbs: {slack: circleci/slack@1}',
  'unheard_of: [1]',
  'jobs:',
  '  good: {machine: true, steps: [checkout]}',
  '  other:',
  '    docker: [{image: cimg/base}]',
  '    steps: [slack/notify, {save_cache: {}}]',
  'workflows:',
  '  main:',
  '    jobs: [other, good: {requires: [other]}]',
].join('\n')

t.test('without a name, the only job is taken and several are to choose from', async (t) => {
  t.strictSame(compile(TWO_JOBS), { kind: 'choose', jobs: ['good', 'other'] })
  t.equal(compiled(jobWith('machine: true\nsteps: [checkout]')).name, 'test')
})

const LEFT_ALONE =
  '2:1: `orbs`, `workflows` of the file are left alone: ' +
  'the job is run alone, as it stands under `jobs`'

t.test('what the chosen job does not touch does not stand in its way', async (t) => {
  t.strictSame(warnings(TWO_JOBS, { job: 'good' }), [LEFT_ALONE])
  t.strictSame(warnings(jobWith('machine: true\nsteps: [checkout]', '2.1')), [])
})

t.test('what a workflow gives a job is named, when it is not applied', async (t) => {
  const given = TWO_JOBS.replace('{requires: [other]}', '{context: [aws], size: 2, filters: {}}')
  t.strictSame(warnings(given, { job: 'good' }), [
    LEFT_ALONE,
    '11:19: `context`, `size` of the workflow is not applied (workflows.main.jobs[1].good): ' +
      'a job is run alone, as it stands under `jobs`',
  ])
  for (const shape of ['workflows: 1', 'workflows: {a: 1, b: {jobs: 2}, c: {jobs: [{good: }]}}']) {
    const odd = `${TWO_JOBS.slice(0, TWO_JOBS.indexOf('workflows'))}${shape}`
    t.strictSame(warnings(odd, { job: 'good' }), [LEFT_ALONE], 'a workflow is not judged')
  }
})
