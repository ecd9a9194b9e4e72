/** Files that people write: configurations of builds, settings, job templates. */
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import type { Test } from 'tap'
import {
  isCaravanError,
  jobSpec,
  toResourceClasses,
  type Problem,
} from '../../../src/model/index.ts'
import { resolveSettings } from '../../../src/platform/index.ts'
import { loadSliceTemplate } from '../../../src/scheduler/index.ts'
import { compileConfig } from '../../../src/scheduler/config/index.ts'
import { fuzz, type FuzzOptions } from '../harness.ts'

const at = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')

const CONFIGS = [
  at('.circleci/config.yml'),
  at('examples/parallel/.circleci/config.yml'),
  at('examples/failing/.circleci/config.yml'),
  [
    'version: 2.1',
    'x: &d {machine: true, environment: &e {A: 1}}',
    'jobs:',
    '  one:',
    '    <<: *d',
    '    steps: [checkout, run: {command: "a", environment: *e}, run: {name: n, command: |-',
    '      b}]',
  ].join('\n'),
]

const PIECES = [
  '\n',
  '  ',
  '\t',
  ': ',
  '- ',
  '? ',
  '[',
  ']',
  '{',
  '}',
  '"',
  "'",
  '#',
  '|',
  '>',
  '&a ',
  '*a',
]
const WORDS = [
  '<<: *d',
  '<< parameters.x >>',
  '!!binary x',
  '!x',
  '---\n',
  '%YAML 9\n',
  '\0',
  '\r',
  '\u2028',
]
const NAMES = [
  'jobs:',
  'steps:',
  'run:',
  'version: 2',
  '__proto__:',
  'constructor:',
  '1e999h',
  '${',
  '%{',
  '<<EOF\n',
]

/** Texts that cost a careless reader much. */
const BOMBS = [
  '['.repeat(20_000),
  '{a: '.repeat(10_000),
  '- '.repeat(20_000),
  'a:\n'.repeat(20_000),
  Array.from(
    { length: 20 },
    (_, i) => `k${i}: &a${i} [${`*a${i - 1},`.repeat(i === 0 ? 0 : 9)}]`,
  ).join('\n'),
  Array.from(
    { length: 20 },
    (_, i) => `k${i}: &a${i} {${i === 0 ? 'x: 1' : `<<: [*a${i - 1}, *a${i - 1}]`}}`,
  ).join('\n'),
  `version: 2.1\njobs: {a: {machine: true, steps: [{run: "${'x'.repeat(300_000)}"}]}}`,
  `a = ${'['.repeat(3000)}`,
  'a {\n'.repeat(2000),
  `a = "${'${'.repeat(2000)}`,
]

const edit = fc.record({
  at: fc.nat(3000),
  remove: fc.oneof(fc.constant(0), fc.nat(5), fc.nat(200)),
  insert: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...PIECES, ...WORDS, ...NAMES) },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
    { weight: 1, arbitrary: fc.constantFrom(...PIECES, ...WORDS).map((text) => text.repeat(300)) },
  ),
})

function textsLike(sound: readonly string[]): fc.Arbitrary<string> {
  const edited = fc
    .record({ base: fc.constantFrom(...sound), edits: fc.array(edit, { maxLength: 5 }) })
    .map(({ base, edits }) => {
      let text = base
      for (const { at: place, remove, insert } of edits) {
        const start = place % (text.length + 1)
        text = text.slice(0, start) + insert + text.slice(start + remove)
      }
      return text
    })
  return fc.oneof(
    { weight: 40, arbitrary: edited },
    { weight: 5, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
    {
      weight: 5,
      arbitrary: fc
        .uint8Array({ maxLength: 300 })
        .map((bytes) => Buffer.from(bytes).toString('utf8')),
    },
    { weight: 1, arbitrary: fc.constantFrom(...BOMBS) },
  )
}

export async function fuzzConfigs(t: Test, options: FuzzOptions): Promise<void> {
  const classes = toResourceClasses([])
  const check = (text: string): void => {
    const compile = (job?: string) =>
      compileConfig(text, {
        file: 'c.yml',
        classes,
        noOutputMs: 1,
        ...(job === undefined ? {} : { job }),
      })
    let outcome = compile()
    if (outcome.kind === 'choose') outcome = compile(outcome.jobs[0] ?? '')
    if (outcome.kind === 'compiled') return void jobSpec.parse(outcome.job)
    if (outcome.kind === 'refused') checkProblems(outcome.problems, 'c.yml')
  }
  await fuzz(t, { name: 'configurations', input: textsLike(CONFIGS), check }, options)
}

const SETTINGS = [
  'tokens = ["a-long-random-text-for-people"]\nserver {\n  listen = "0.0.0.0:80"\n  data_dir = "/d"\n}\n' +
    'nomad {\n  address = "https://n:1"\n  datacenters = ["*"]\n}\nlimits {\n  output = "1GiB"\n' +
    '  no_output = "10m"\n  infrastructure_retries = 2\n}\nclass "gpu" {\n  vcpu = 8\n  memory = 1024\n}\n',
  'store {\n  url = "postgres://u:p@h/d"\n}\n# c\n/* d */\nserver { master_key_file = "/k" }\n',
]

export async function fuzzSettings(t: Test, options: FuzzOptions): Promise<void> {
  const check = async (text: string): Promise<void> => {
    try {
      await resolveSettings({ flags: {}, env: {}, file: { name: 's.hcl', text } })
    } catch (cause) {
      checkRefusal(cause, 'SETTINGS_INVALID', 's.hcl')
    }
  }
  await fuzz(t, { name: 'settings', input: textsLike(SETTINGS), check }, options)
}

const TEMPLATES = [
  at('nomad/jobs/build-slice.nomad.hcl'),
  at('tests/fixtures/templates/minimal.nomad.hcl'),
]

export async function fuzzTemplates(t: Test, options: FuzzOptions): Promise<void> {
  const check = async (text: string): Promise<void> => {
    try {
      await loadSliceTemplate(text, 't.hcl')
    } catch (cause) {
      checkRefusal(cause, 'TEMPLATE_INVALID', 't.hcl')
    }
  }
  await fuzz(t, { name: 'job templates', input: textsLike(TEMPLATES), check }, options)
}

function checkRefusal(cause: unknown, code: 'SETTINGS_INVALID' | 'TEMPLATE_INVALID', file: string) {
  if (!isCaravanError(cause, code)) throw cause
  const { problems } = cause.detail
  if (Array.isArray(problems)) checkProblems(problems as Problem[], file)
  else if (!cause.message.includes(file))
    throw new Error(`no file in "${cause.message}"`, { cause })
}

function checkProblems(problems: readonly Problem[], file: string): void {
  if (problems.length === 0) throw new Error('refused without a reason')
  for (const { file: named, line, message } of problems) {
    if (named !== file && named !== 'settings') throw new Error(`another file: ${named}`)
    if (named === file && !(line >= 1)) throw new Error(`no line: ${message}`)
    if (message.trim() === '' || message.length > 5000) throw new Error(`no message: ${message}`)
  }
}
