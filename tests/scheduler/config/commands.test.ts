import t from 'tap'
import { compiled, jobWith, refusals } from './support.ts'

const HEAD = [
  'executors:',
  '  node:',
  '    description: Node and a database',
  '    docker: [{image: "cimg/node:22.1"}, {image: postgres, name: db}]',
  '    environment: {A: executor, B: executor}',
  '    shell: bash -e',
  '    working_directory: ~/app',
  '    resource_class: large',
  '  host: {machine: true}',
  '  sized: {docker: [{image: "cimg/node:<< parameters.tag >>"}], parameters: {tag: {type: string}}}',
  '  bare: {shell: bash}',
  'commands:',
  '  install:',
  '    description: What every job begins with',
  '    steps: [checkout, run: npm ci]',
  '  prepare: {steps: [install, run: {name: Versions, command: node --version}]}',
  '  greet: {parameters: {to: {type: string}}, steps: [run: "echo << parameters.to >>"]}',
  '  odd: {steps: [{run: {comand: x}}]}',
  '  one: {steps: [two]}',
  '  two: {steps: [one]}',
].join('\n')

const file = (lines: string) => `${jobWith(lines, '2.1')}${HEAD}\n`

t.test('a job is run by the executor that it names', async (t) => {
  for (const executor of ['node', '{name: node}']) {
    t.match(compiled(file(`executor: ${executor}\nsteps: [checkout]`)), {
      executor: { kind: 'docker', containers: [{ image: 'cimg/node:22.1' }, { name: 'db' }] },
      environment: { A: 'executor', B: 'executor' },
      shell: 'bash -e',
      working_directory: '~/app',
      resource_class: 'large',
    })
  }
  const host = compiled(file('executor: host\nsteps: [checkout]'))
  t.match(host, { executor: { kind: 'machine' }, resource_class: 'medium' })
})

t.test('what a job says itself comes before its executor, variables are joined', async (t) => {
  const own =
    'environment: {B: job, C: job}\nshell: sh\nworking_directory: /x\nresource_class: small'
  t.match(compiled(file(`executor: node\n${own}\nsteps: [checkout]`)), {
    environment: { A: 'executor', B: 'job', C: 'job' },
    shell: 'sh',
    working_directory: '/x',
    resource_class: 'small',
  })
})

t.test('an executor that cannot run the job is refused where the job names it', async (t) => {
  const cases: [string, string][] = [
    ['executor: nod', '4:15: unknown executor `nod` (jobs.test.executor): did you mean `node`?'],
    [
      'executor: windows',
      '4:15: unknown executor `windows` (jobs.test.executor): ' +
        'the file has `node`, `host`, `sized`, `bare`',
    ],
    [
      'executor: sized',
      '4:15: not supported yet: the executor `sized` has parameters (jobs.test.executor): ' +
        'write what it says into the job',
    ],
    [
      'executor: {name: sized, tag: "22"}',
      '4:15: not supported yet: parameters of an executor: `tag` (jobs.test.executor): ' +
        'write what the executor says into the job',
    ],
    ['executor: {tag: x}', '4:15: the `name` of the executor is missing (jobs.test.executor)'],
    [
      'executor: bare',
      '16:3: the executor does not say what runs it (executors.bare): ' +
        'add `docker` with an image, or `machine: true`',
    ],
    [
      'executor: << parameters.os >>',
      '4:15: not supported yet: the expression `<< parameters.os >>` (jobs.test.executor): ' +
        'write the value itself',
    ],
    [
      'executor: node\n    docker: [{image: x}]',
      '5:5: `executor` and `docker` both say what runs it (jobs.test): remove one of them',
    ],
  ]
  for (const [line, expected] of cases) {
    const text = `version: 2.1\njobs:\n  test:\n    ${line}\n    steps: [checkout]\n${HEAD}\n`
    const shift = line.includes('\n') ? 1 : 0
    t.strictSame(refusals(text), [expected.replace(/^16:/, `${16 + shift}:`)], line)
  }
  const orb = `${file('executor: win/default\nsteps: [checkout]')}orbs: {win: circleci/windows@5}\n`
  t.strictSame(refusals(orb), [
    '4:15: not supported yet: `win/default`, an executor of the orb `win` (jobs.test.executor): ' +
      'write what runs the job into it',
  ])
  t.strictSame(refusals(jobWith('executor: node\nsteps: [checkout]') + HEAD), [
    '4:15: a file of this version has no executors (jobs.test.executor): write `version: 2.1`',
  ])
})

t.test('the steps of a command stand in its place, under their own names', async (t) => {
  const names = (steps: string) =>
    compiled(file(`machine: true\nsteps: ${steps}`)).steps.map(({ name }) => name)
  const expected = ['Checkout code', 'npm ci', 'Versions', 'make']
  t.strictSame(names('[prepare, run: make]'), expected)
  t.strictSame(names('[{prepare: }, run: make]'), expected)
  t.strictSame(names('[{prepare: {}}, run: make]'), expected)
  t.strictSame(names('[install, install]'), ['Checkout code', 'npm ci', 'Checkout code', 'npm ci'])
})

t.test(
  'a command that cannot be called is refused at its call, a mistake at its place',
  async (t) => {
    const refused = (steps: string) => refusals(file(`machine: true\nsteps: ${steps}`))
    t.strictSame(refused('[greet: {to: you}]'), [
      '5:13: not supported yet: the command `greet` has parameters (jobs.test.steps[0].greet): ' +
        'write its steps into the job',
    ])
    t.strictSame(refused('[install: {to: you}]'), [
      '5:13: the command `install` has no parameters (jobs.test.steps[0].install): ' +
        'remove what it is given',
    ])
    t.strictSame(refused('[odd, odd]'), [
      '23:24: unknown key `comand` (commands.odd.steps[0].run.comand): did you mean `command`?',
    ])
    t.strictSame(refused('[one]'), [
      '25:17: the command `one` calls itself: `one` -> `two` -> `one` (commands.two.steps[0]): ' +
        'remove one of these calls',
    ])
  },
)

t.test('commands and executors that nobody names are not looked at', async (t) => {
  t.ok(compiled(`${jobWith('machine: true\nsteps: [checkout]', '2.1')}${HEAD}\n  bad: 5\n`))
})
