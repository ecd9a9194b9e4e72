import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { jobSpec } from '../../../src/model/index.ts'
import type { CompileOutcome } from '../../../src/scheduler/config/index.ts'
import { printJobs, withoutPasswords } from '../../../src/scheduler/config/print.ts'
import { PROBLEMS_MAX } from '../../../src/scheduler/config/report.ts'
import { JOB_CHARS_MAX } from '../../../src/scheduler/config/scope.ts'
import { STEPS_MAX } from '../../../src/scheduler/config/steps.ts'
import { YAML_CHARS_MAX, YAML_TOKENS_MAX } from '../../../src/scheduler/config/yaml.ts'
import { YAML_DEPTH_MAX, YAML_MERGED_MAX } from '../../../src/scheduler/config/yaml-tree.ts'
import { check, compile, compiled, jobWith, refusals } from './support.ts'

/** Far above what any of the texts here needs, far below what unbounded work would take. */
const PATIENCE_MS = 10_000

function checkOutcome(text: string, outcome: CompileOutcome): void {
  if (outcome.kind === 'choose') {
    for (const job of outcome.jobs.slice(0, 3)) checkOutcome(text, compile(text, { job }))
    return
  }
  const problems = outcome.kind === 'refused' ? outcome.problems : outcome.warnings
  const lineCount = text.split('\n').length + 1
  for (const { line, column, message } of problems) {
    if (line < 1 || line > lineCount) throw new Error(`line ${line} of ${lineCount}: ${message}`)
    if (column !== undefined && column < 1) throw new Error(`column ${column}: ${message}`)
    if (/\p{Cc}/u.test(message)) throw new Error(`not one plain line: ${JSON.stringify(message)}`)
  }
  const lines = problems.map(({ line }) => line)
  if (lines.some((line, index) => line < (lines[index - 1] ?? 0))) throw new Error('not sorted')
  if (problems.length > PROBLEMS_MAX) throw new Error('too many problems')
  if (outcome.kind === 'compiled') jobSpec.parse(outcome.job)
  else if (problems.length === 0) throw new Error('refused for nothing')
}

/** A check looks at each job as a run would, and what it prints means the same again. */
function checkEveryJob(text: string): void {
  const outcome = check(text)
  if (outcome.kind === 'refused') return checkOutcome(text, outcome)
  for (const { name, job, problems, warnings } of outcome.jobs) {
    if (job === null) {
      checkOutcome(text, { kind: 'refused', problems })
      continue
    }
    checkOutcome(text, { kind: 'compiled', job, warnings })
    const again = compiled(printJobs([job]), { job: name })
    const shown = withoutPasswords(jobSpec.parse(job))
    if (!isDeepStrictEqual(again, shown)) throw new Error(`is printed as ${printJobs([job])}`)
  }
}

const SOUND = [
  jobWith(
    'machine: true\nsteps:\n  - checkout\n  - run: |\n      a\n      b\n  - run: >-\n      c',
  ),
  [
    'version: 2.1',
    'defaults: &d',
    '  machine: {image: "ubuntu:1"}',
    '  environment: &e {A: 1, "B": two}',
    'commands: {install: {steps: []}}',
    'jobs:',
    '  one:',
    '    <<: *d',
    '    <<: {shell: sh}',
    '    parallelism: 3',
    '    steps: [checkout, &s {run: {command: "x \\<<E", environment: *e}}, *s]',
    '  two:',
    '    machine: true',
    '    docker:',
    '      - image: << parameters.x >>',
    '    steps:',
    '      - run:',
    '          name: n',
    '          command: c',
    '          no_output_timeout: 20m',
    '          environment: [A=1, {B: 2}]',
    'workflows: {main: {jobs: [one, two: {context: x}]}}',
  ].join('\n'),
  [
    'version: 2.1',
    'orbs: {slack: circleci/slack@4}',
    'executors:',
    '  node:',
    '    docker:',
    '      - image: cimg/node:22.1',
    '        auth: {username: me, password: $TOKEN}',
    '        environment: [A=1]',
    '      - {image: cimg/postgres:16, name: db, command: "postgres -c fsync=off"}',
    '    shell: bash -e',
    'commands:',
    '  inner: {steps: [run: make]}',
    '  outer: {steps: [checkout, inner, inner]}',
    'jobs:',
    '  test:',
    '    executor: {name: node}',
    '    steps: [outer, run: {command: x, max_auto_reruns: 2, auto_rerun_delay: 5s}]',
  ].join('\n'),
]

/** Pieces that mean something to YAML or to the language. */
const PIECES = [
  ['\n', '\t', '  ', ': ', '- ', '? ', '&d ', '*d', '*e', '<<: ', '<<', '>>', '\\<<', '|', '>'],
  ['[', ']', '{', '}', ',', '"', "'", '#', '%', '@', '`', '!!str ', '!x ', '---\n', '...\n'],
  ['\r', '\0', '\u0085', '\u2028', '\uFEFF', '\ud800', '\u{1F600}', '\x1b[31m', '~', 'null'],
  ['version: 2\n', 'jobs:\n', 'steps:', 'run:', 'checkout', 'machine: true', 'environment:'],
  ['docker:\n', '- image: x\n', 'executor: ', 'commands:\n', 'executors:\n', 'outer', 'name: '],
  ['__proto__', 'constructor', 'toString', '99999999999', '1e999h', 'type: lock', 'workflows: '],
].flat()

const edit = fc.record({
  at: fc.nat(1000),
  remove: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(60)),
  insert: fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 4, unit: 'binary' })),
})

t.test('whatever is changed in a file, the outcome is one of three', async (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...SOUND), fc.array(edit, { maxLength: 6 }), (sound, edits) => {
      let text = sound
      for (const { at, remove, insert } of edits) {
        const place = at % (text.length + 1)
        text = text.slice(0, place) + insert + text.slice(place + remove)
      }
      checkOutcome(text, compile(text))
      checkEveryJob(text)
    }),
    { numRuns: 1500 },
  )
  t.pass()
})

t.test('whatever is put together of pieces, the outcome is one of three', async (t) => {
  const soup = fc.array(fc.constantFrom(...PIECES), { maxLength: 60 })
  fc.assert(
    fc.property(soup, fc.constantFrom('', 'version: 2\njobs:\n  a:\n    '), (pieces, head) => {
      const text = head + pieces.join('')
      checkOutcome(text, compile(text))
    }),
    { numRuns: 1500 },
  )
  t.pass()
})

function bounded(
  test: Pick<typeof t, 'ok' | 'match'>,
  name: string,
  text: string,
  expected: RegExp,
): void {
  const start = performance.now()
  const outcome = compile(text, { job: 'test' })
  checkOutcome(text, outcome)
  test.ok(performance.now() - start < PATIENCE_MS, `${name} is bounded in time`)
  test.match(outcome, { kind: 'refused', problems: [{ message: expected }] }, name)
}

t.test('deep nesting is refused, not followed', async (t) => {
  const deep = new RegExp(`nested too deeply: at most ${YAML_DEPTH_MAX} levels`)
  bounded(t, 'lists', '['.repeat(20_000), deep)
  bounded(t, 'closed lists', '['.repeat(300) + ']'.repeat(300), deep)
  bounded(t, 'maps', '{a: '.repeat(10_000), deep)
  bounded(t, 'keys', 'a: [' + 'a: b: '.repeat(10_000) + ']', deep)
  bounded(t, 'dashes', '- '.repeat(10_000), deep)
  const indented = Array.from({ length: 100 }, (_, index) => `${' '.repeat(index)}a:`).join('\n')
  bounded(t, 'indentation', indented, deep)
})

t.test('a file too large is refused unread', async (t) => {
  const text = jobWith('machine: true\nsteps: [checkout]') + '#'.repeat(YAML_CHARS_MAX)
  t.strictSame(refusals(text), [
    `1:1: the file has ${text.length} characters: at most ${YAML_CHARS_MAX} are read`,
  ])
})

t.test('a file full of mistakes tells some of them', async (t) => {
  bounded(t, 'brackets', ']'.repeat(20_000), /not valid YAML/)
  bounded(t, 'quotes', '"'.repeat(20_000), /not valid YAML/)
  bounded(t, 'tabs', `a:\n${'\tb: 1\n'.repeat(10_000)}`, /a tab is used/)
  const keys = Array.from({ length: 10_000 }, (_, index) => `k${index}: 1`).join('\n')
  const text = jobWith(`machine: true\nsteps: [checkout]\n${keys}`)
  bounded(t, 'unknown keys', text, /unknown key `k0`/)
  t.equal(refusals(text).length, PROBLEMS_MAX)
})

t.test('aliases that multiply are bounded', async (t) => {
  const levels = (first: string, next: (before: string) => string) =>
    Array.from({ length: 30 }, (_, level) => {
      const value = level === 0 ? first : next(`*l${level - 1}`)
      return `l${level}: &l${level} ${value}`
    }).join('\n')
  const lists = levels('[x]', (before) => `[${Array(10).fill(before).join(', ')}]`)
  const job = (body: string) => jobWith(`machine: true\n${body}`)

  bounded(t, 'lists of lists', `${lists}\n${job('steps: *l29')}`, /a step is a name or a map/)
  const merges = levels('{a: 1, b: 2}', (before) => `{<<: [${Array(9).fill(before).join(', ')}]}`)
  t.strictSame(compiled(`${merges}\n${job('steps: [checkout]\nenvironment: *l29')}`).environment, {
    a: '1',
    b: '2',
  })

  const wide = Array.from({ length: 5000 }, (_, index) => `k${index}: 1`).join(', ')
  const merged = `w: &w {${wide}}\nm:\n${'  - {<<: *w}\n'.repeat(1000)}`
  const manyKeys = new RegExp(`merges more than ${YAML_MERGED_MAX} keys`)
  bounded(t, 'wide merges', `${merged}${job('steps: [checkout]')}`, manyKeys)

  const step = `s: &s {run: {command: "${'x'.repeat(100_000)}"}}\n`
  const tooLarge = new RegExp(`the job is larger than ${JOB_CHARS_MAX} characters`)
  bounded(
    t,
    'long steps',
    `${step}${job(`steps: [${Array(500).fill('*s').join(', ')}]`)}`,
    tooLarge,
  )
  const variables = `e: &e {${wide}}\ns: &s {run: {command: x, environment: *e}}\n`
  bounded(
    t,
    'variables',
    `${variables}${job(`steps: [${Array(900).fill('*s').join()}]`)}`,
    tooLarge,
  )

  const many = `s: &s {run: x}\n${job(
    `steps: [${Array(STEPS_MAX + 1)
      .fill('*s')
      .join()}]`,
  )}`
  bounded(t, 'steps', many, /a job has at most 1000 steps/)
  const wrong = `s: &s {run: {command: x, ${wide}}}\n`
  const repeated = `${wrong}${job(`steps: [${Array(900).fill('*s').join()}]`)}`
  bounded(t, 'repeated mistakes', repeated, /unknown key `k0`/)
})

t.test('commands that multiply or never end are bounded', async (t) => {
  const job = jobWith('machine: true\nsteps: [c0]', '2.1')
  const calls = (count: number, steps: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => `  c${index}: {steps: ${steps(index)}}`).join('\n')
  const file = (count: number, steps: (index: number) => string, last: string) =>
    `${job}commands:\n${calls(count, steps)}\n  c${count}: {steps: ${last}}\n`
  const twice = (index: number) => `[c${index + 1}, c${index + 1}]`
  const once = (index: number) => `[c${index + 1}]`
  bounded(t, 'doubling', file(60, twice, '[checkout]'), /at most 1000 steps/)
  bounded(t, 'doubling to nothing', file(60, twice, '[]'), /at most 1000 steps/)
  bounded(t, 'a long chain', file(5000, once, '[checkout]'), /call each other more than 64 deep/)
  bounded(t, 'a loop', file(3, once, '[c1]'), /`c1` calls itself: `c1` -> `c2` -> `c3` -> `c1`/)
  bounded(t, 'nothing at all', file(1, once, '[]'), /the commands of the job hold no step/)
})

t.test('a variable too long for a process is refused', async (t) => {
  const value = 'é'.repeat(70_000)
  t.match(refusals(jobWith(`machine: true\nsteps: [checkout]\nenvironment:\n  LONG: ${value}`)), [
    /the variable `LONG` has 140005 bytes .*: a process takes at most 131071$/,
  ])
})

t.test('what a text of the largest size costs is bounded, whatever it is made of', (t) => {
  const parts = [
    '[],',
    '- \n',
    '\n',
    ': \n',
    'k: 1\n',
    '- *a\n',
    '#\n',
    '? \n',
    '& ',
    '%a\n',
    '\t- a\n',
    '[',
  ]
  for (const part of parts) {
    const text = part.repeat(Math.floor(YAML_CHARS_MAX / part.length))
    const before = process.threadCpuUsage()
    const outcome = compile(text)
    const { user, system } = process.threadCpuUsage(before)
    // A fifth of it on an idle machine; without a bound, the worst of these took three times as long.
    t.ok((user + system) / 1000 < 1500, `${JSON.stringify(part)} is bounded in time`)
    t.equal(outcome.kind, 'refused')
  }
  const lines = 'a: 1\n'.repeat(YAML_TOKENS_MAX)
  t.match(refusals(lines.slice(0, YAML_CHARS_MAX)), /more than 100000 pieces of YAML/)
  t.end()
})
