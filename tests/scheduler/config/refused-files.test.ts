import t from 'tap'
import { compile, jobWith, refusals, runWith } from './support.ts'

t.test('commands of the file and of orbs are told apart from slips', async (t) => {
  const text =
    jobWith(
      'machine: true\nsteps: [install, slack/notify, {docker/build: {a: 1}}, instal]',
      '2.1',
    ) + 'commands: {install: {steps: [checkout]}}\norbs: {slack: circleci/slack@1}\n'
  t.strictSame(refusals(text), [
    '5:22: not supported yet: `slack/notify`, a command of the orb `slack` (jobs.test.steps[1]): ' +
      'write its steps into the job',
    '5:37: unknown step `docker/build` (jobs.test.steps[2].docker/build): ' +
      'write a command as `run: ...`',
    '5:60: unknown step `instal` (jobs.test.steps[3]): did you mean `install`?',
  ])
})

t.test('an expression is refused by name, wherever it stands', async (t) => {
  const reference = 'write the value itself'
  const cases: [string, string, string][] = [
    ['shell: << parameters.shell >>', '<< parameters.shell >>', reference],
    ['parallelism: << parameters.n >>', '<< parameters.n >>', reference],
    ['resource_class: "<<pipeline.parameters.class>>"', '<<pipeline.parameters.class>>', reference],
    ['environment: {A: "x<<# p.ssl >>s<</ p.ssl >>"}', '<<# p.ssl >>', reference],
    ['environment: ["A=<< p.x >>"]', '<< p.x >>', reference],
    ['working_directory: \\<<a/<<b', '<<b', 'where the shell is to see `<<`, write `\\<<`'],
  ]
  for (const [line, expression, hint] of cases) {
    const [problem, ...rest] = refusals(jobWith(`machine: true\n${line}\nsteps: [checkout]`, '2.1'))
    t.match(problem, `not supported yet: the expression \`${expression}\` (jobs.test.`, line)
    t.ok(problem?.endsWith(`: ${hint}`), line)
    t.strictSame(rest, [], line)
  }
  const step = refusals(jobWith('machine: true\nsteps: [install-<< parameters.x >>]', '2.1'))
  t.match(step, [/not supported yet: the expression `install-<< parameters\.x >>`/])
  const heredoc = refusals(runWith('command: |\n  cat <<EOF\n  x\n  EOF', '2.1'))
  t.match(heredoc, [/the expression `<<EOF`.*: where the shell is to see `<<`, write `\\<<`$/])
})

t.test('the top level needs a version and jobs', async (t) => {
  const both = 'it needs the keys `version` and `jobs`'
  const cases: [string, string[]][] = [
    ['', [`1:1: the file is empty: ${both}`]],
    ['# nothing\n', [`1:1: the file is empty: ${both}`]],
    ['[1]', [`1:1: the file is not a map but a list: ${both}`]],
    ['jobs: {a: {}}', ['1:1: the file has no `version` (version): add `version: 2.1`']],
    [
      'version: 3\njobs: {a: {}}',
      ['1:10: not a version that is known: `3` (version): known are `2`, `2.0`, `2.1`'],
    ],
    ['version: 2\njob: {}', ['1:1: the file has no `jobs` (jobs): is `job` meant to be it?']],
    ['version: 2', ['1:1: the file has no `jobs` (jobs): a job of an orb cannot be run yet']],
    ['version: 2\njobs:', ['2:6: `jobs` holds no job (jobs)']],
    ['version: 2\njobs: {}', ['2:7: `jobs` holds no job (jobs)']],
    ['version: 2\njobs: []', ['2:7: not a map of jobs but a list (jobs)']],
    ['version: 2\njobs: {a: 1}', ['2:8: not a map but `1` (jobs.a)']],
    ['version: 2\njobs:\n  a: {}\n  a: {}', ['4:3: the key `a` stands twice in one map (jobs)']],
    ['version: 2\nversion: 2\njobs: {a: {}}', ['2:1: the key `version` stands twice in one map']],
  ]
  for (const [text, expected] of cases) {
    const problems = refusals(text)
    const at = problems.map((problem) => problem.replace(/^(\d+):\d+:/, '$1:'))
    t.strictSame(
      at,
      expected.map((problem) => problem.replace(/^(\d+):\d+:/, '$1:')),
      JSON.stringify(text),
    )
  }
})

t.test('a job that is not there is refused with those that are', async (t) => {
  const text = 'version: 2\njobs:\n  build: {}\n  test: {}\n'
  t.strictSame(refusals(text, { job: 'tset' }), [
    '2:1: no job `tset` (jobs): the file has `build`, `test`, did you mean `test`?',
  ])
  t.strictSame(refusals(text, { job: '__proto__' }), [
    '2:1: no job `__proto__` (jobs): the file has `build`, `test`',
  ])
})

t.test('all problems of a job are told at once, from top to bottom', async (t) => {
  const text = jobWith('steps: [x1, checkout, x2]\nmachine: 5\nshel: y', '2.1')
  const lines = refusals(text).map((problem) => problem.split(':', 1)[0])
  t.strictSame(lines, ['4', '4', '5', '6'])
})

t.test('a problem of an anchor is told once, where the anchor is written', async (t) => {
  const text = [
    'version: 2',
    'defaults: &defaults',
    '  docker: [{image: x, aws_auth: {}}]',
    '  steps: [&step {run: {command: x, wehn: always}}, *step, *step]',
    'jobs:',
    '  test: {<<: *defaults}',
  ].join('\n')
  t.match(refusals(text), [
    /^3:23: not supported yet: `aws_auth` \(jobs\.test\.docker\[0\]\.aws_auth\)/,
    /^4:36: unknown key `wehn` \(jobs\.test\.steps\[0\]\.run\.wehn\)/,
  ])
})

t.test('problems carry file, line, column and path for programs', async (t) => {
  t.match(compile(jobWith('machine: true\nsteps: [x]'), { file: 'a/b.yml' }), {
    kind: 'refused',
    problems: [{ file: 'a/b.yml', line: 5, column: 13, path: 'jobs.test.steps[0]' }],
  })
})

t.test('names in messages cannot drive a terminal, and are cut when long', async (t) => {
  const [escape] = refusals(jobWith('machine: true\nsteps: [checkout]\n"\\e[31m\\n": 1'))
  t.match(escape, 'unknown key `\\u{1b}[31m\\n`')
  const [long] = refusals(jobWith(`machine: true\nsteps: [checkout]\n${'x'.repeat(900)}: 1`))
  t.ok((long ?? '').length < 500)
})
