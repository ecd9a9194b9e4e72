/** Constructs that public files really hold and that a simpler reader stumbles over. */
import t from 'tap'
import { check, compile, compiled, refusals, runStep, warnings } from './support.ts'

const lines = (...all: string[]) => `${all.join('\n')}\n`

t.test('names of your own at the top level hold anchors, and are not judged', async (t) => {
  const text = lines(
    'version: 2.1',
    'defaults: &defaults {machine: true, environment: &env {A: 1}}',
    'var_1: &key v1-{{ checksum "package.json" }}',
    'references: {filters: &only {branches: {only: "/v[0-9]+/"}}, steps: [*key]}',
    'machine: {services: [docker]}',
    'dependencies: {pre: [x]}',
    'jobs: {test: {<<: *defaults, steps: [run: make]}}',
  )
  t.match(compiled(text), { environment: { A: '1' } })
  t.strictSame(warnings(text), [])
})

t.test('two merge keys in one map both count, and an anchor may be defined again', async (t) => {
  const text = lines(
    'version: 2.1',
    'x: &one {A: one, B: one}',
    'y: &two {B: two, C: two}',
    'z: &one {A: again}',
    'jobs:',
    '  test:',
    '    machine: true',
    '    environment: {<<: *two, <<: *one, D: own}',
    '    steps: [run: make]',
  )
  t.strictSame(compiled(text).environment, { D: 'own', B: 'two', C: 'two', A: 'again' })
})

t.test('an anchor inside a list of steps, and one used before an alias is known', async (t) => {
  const text = lines(
    'version: 2',
    'jobs:',
    '  one: &one',
    '    docker: [&image {image: "cimg/base:2024.01", environment: {A: 1}}]',
    '    steps: [checkout, run: &run {name: Build, command: make}]',
    '  two:',
    '    <<: *one',
    '    docker: [*image, {image: postgres}]',
    '    steps: [run: *run, run: {<<: *run, name: Again}]',
  )
  t.match(compiled(text, { job: 'two' }), {
    executor: { containers: [{ image: 'cimg/base:2024.01' }, { image: 'postgres' }] },
    steps: [{ name: 'Build' }, { name: 'Again', command: 'make' }],
  })
})

t.test(
  'variables are texts as written: numbers, booleans, versions, in maps and lists',
  async (t) => {
    const text = lines(
      'version: 2.1',
      'jobs:',
      '  test:',
      '    docker:',
      '      - image: cimg/ruby:3.3',
      '        environment: {PORT: 5432, DEBUG: no, RATE: 1e3, VERSION: 3.10, MODE: 0755, YES: yes}',
      '      - image: mysql:8',
      '        environment: [MYSQL_ROOT_PASSWORD=, "OPTIONS=--a=b", MODE=0755]',
      '    steps: [run: {command: make, environment: {BIG: 12345678901234567890, T: True}}]',
    )
    const { executor, steps } = compiled(text)
    t.match(executor, {
      containers: [
        {
          environment: {
            PORT: '5432',
            DEBUG: 'no',
            RATE: '1e3',
            VERSION: '3.10',
            MODE: '0755',
            YES: 'yes',
          },
        },
        { environment: { MYSQL_ROOT_PASSWORD: '', OPTIONS: '--a=b', MODE: '0755' } },
      ],
    })
    t.match(steps, [{ environment: { BIG: '12345678901234567890', T: 'True' } }])
  },
)

t.test('commands keep their lines, their folds and a first line of their own', async (t) => {
  const step = (command: string, version = '2.1') =>
    runStep(
      `version: ${version}\njobs:\n  test:\n    machine: true\n    steps:\n      - run: ${command}\n`,
    ).command
  t.equal(step('|\n          #!/bin/sh\n          a\n\n          b'), '#!/bin/sh\na\n\nb\n')
  t.equal(step('>-\n          a\n          b\n\n          c'), 'a b\nc')
  t.equal(step('|+\n          a\n'), 'a\n\n')
  t.equal(step('|\n          cat \\<<EOF\n          x\n          EOF'), 'cat <<EOF\nx\nEOF\n')
  t.equal(step('grep x \\<<< "$A"'), 'grep x <<< "$A"')
  t.equal(step('|\n          cat <<EOF\n          x\n          EOF', '2'), 'cat <<EOF\nx\nEOF\n')
  t.equal(step('echo "{{ .Branch }}" $(( 1 << 2 ))', '2'), 'echo "{{ .Branch }}" $(( 1 << 2 ))')
})

t.test('sections and expressions in texts are told from shell, wherever they stand', async (t) => {
  const job = (line: string) =>
    lines('version: 2.1', 'jobs:', '  test:', '    machine: true', `    ${line}`)
  const cases = [
    'steps: [run: "make <<# parameters.ssl >>ssl<</ parameters.ssl >>"]',
    'steps: [run: {command: make, when: << parameters.when >>}]',
    'steps: [run: {command: make, name: "<<^ matrix.x >>none<</ matrix.x >>"}]',
    'steps: [install-<< parameters.os >>]',
    'steps: [run: {command: make, no_output_timeout: << parameters.limit >>}]',
    'steps: [run: {command: make, background: << parameters.wait >>}]',
  ]
  for (const line of cases) {
    const [problem, ...rest] = refusals(job(line))
    t.match(problem, /^5:\d+: not supported yet: the expression `/, line)
    t.strictSame(rest, [], line)
  }
})

t.test('a job may have a slash in its name without any orb', async (t) => {
  const text = lines(
    'version: 2.1',
    'commands: {tools/install: {steps: [run: make tools]}}',
    'jobs: {node/test: {machine: true, steps: [tools/install]}}',
    'workflows: {version: 2, main: {jobs: [node/test]}}',
  )
  t.match(compiled(text, { job: 'node/test' }).steps, [{ command: 'make tools' }])
})

t.test(
  'jobs that no workflow uses, and workflows of jobs that are not there, do no harm',
  async (t) => {
    const text = lines(
      'version: 2.1',
      'jobs: {used: {machine: true, steps: [checkout]}, unused: {macos: {xcode: 1}}}',
      'workflows: {main: {jobs: [used, spliced-in, {gate: {type: approval}}]}}',
    )
    const outcome = check(text)
    if (outcome.kind === 'refused') throw new Error('the file is refused')
    t.match(outcome.jobs, [
      { name: 'used', job: { name: 'used' }, problems: [] },
      { name: 'unused', job: null },
    ])
  },
)

t.test('only the jobs that touch an orb or an expression are refused', async (t) => {
  const text = lines(
    'version: 2.1',
    'orbs:',
    '  slack: circleci/slack@4.1',
    '  local: {commands: {x: {steps: [checkout]}}}',
    'parameters: {deploy: {type: boolean, default: false}}',
    'executors: {odd: {docker: [{image: "<< parameters.x >>"}], parameters: {x: {type: string}}}}',
    'jobs:',
    '  plain: {docker: [{image: cimg/base}], steps: [run: make]}',
    '  notify: {docker: [{image: cimg/base}], steps: [slack/notify]}',
    '  inner: {docker: [{image: cimg/base}], steps: [local/x]}',
    '  given: {executor: odd, parameters: {tag: {type: string}}, steps: [run: make]}',
    '  sized: {executor: {name: odd, x: y}, steps: [run: make]}',
  )
  const outcome = check(text)
  if (outcome.kind === 'refused') throw new Error('the file is refused')
  t.strictSame(
    outcome.jobs.map(({ name, job }) => [name, job !== null]),
    [
      ['plain', true],
      ['notify', false],
      ['inner', false],
      ['given', false],
      ['sized', false],
    ],
  )
  t.match(compile(text, { job: 'plain' }), { kind: 'compiled', warnings: [{ line: 2 }] })
})

t.test('ten containers, images by digest and of private registries are one job', async (t) => {
  const services = Array.from(
    { length: 9 },
    (_, index) => `      - {image: s${index}, name: s${index}}`,
  )
  const text = lines(
    'version: 2.1',
    'jobs:',
    '  test:',
    '    docker:',
    `      - image: registry.example.org:5000/team/app_x@sha256:${'0'.repeat(64)}`,
    ...services,
    '    steps: [run: make]',
  )
  const { executor } = compiled(text)
  t.equal(executor.kind === 'docker' && executor.containers.length, 10)
})

t.test('old remnants in a job are refused at their line, not ignored', async (t) => {
  const text = lines(
    'version: 2',
    'jobs:',
    '  test:',
    '    machine: {services: [docker], docker_layer_caching: true, resource_class: large}',
    '    general: {artifacts: [x]}',
    '    branches: {only: master}',
    '    steps:',
    '      - type: checkout',
    '      - deploy: {command: x}',
  )
  t.match(refusals(text), [
    /^4:15: unknown key `services`/,
    /^4:63: not supported yet: `resource_class` .*: write it one level up/,
    /^5:5: unknown key `general`/,
    /^6:5: not supported yet: `branches`/,
    /^8:9: unknown step `type` .*: write `- checkout`$/,
    /^9:9: not supported yet: `deploy` .*: write `run` instead$/,
  ])
})

t.test('layers that the client keeps anyway are asked for in vain, and said so', async (t) => {
  const job = (asked: string) =>
    lines(
      'version: 2.1',
      'jobs:',
      '  test:',
      `    machine: {docker_layer_caching: ${asked}}`,
      '    steps: [checkout]',
    )
  t.strictSame(warnings(job('true')), [
    '4:37: the layers are those of the Nomad client (jobs.test.machine.docker_layer_caching): ' +
      'its Docker keeps them',
  ])
  t.strictSame(warnings(job('false')), [])
})

t.test('a class of a self-hosted namespace is known when the server has it', async (t) => {
  const text = lines(
    'version: 2.1',
    'jobs: {test: {machine: true, resource_class: acme/gpu, steps: [checkout]}}',
  )
  t.match(refusals(text), [/unknown resource class `acme\/gpu`/])
  const gpu = { name: 'acme/gpu', vcpu: 8, memoryMiB: 1, nodeClass: 'gpu' }
  t.equal(compiled(text, { classes: new Map([['acme/gpu', gpu]]) }).resource_class, 'acme/gpu')
})
