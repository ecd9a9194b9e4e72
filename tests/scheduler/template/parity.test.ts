import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { parseHcl, type HclEntry } from '../../../src/platform/index.ts'
import {
  loadTemplate,
  renderJob,
  type TemplateValues,
} from '../../../src/scheduler/template/index.ts'
import { jobSchema } from '../../../src/scheduler/template/schema/job.ts'
import type { BlockSchema } from '../../../src/scheduler/template/schema/table.ts'
import { differences, findNomad, runOutput } from './nomad-cli.ts'

const FIXTURES = join(import.meta.dirname, '../../fixtures/templates')
const SHIPPED = join(import.meta.dirname, '../../../nomad/jobs/build-slice.nomad.hcl')
const FILES = [SHIPPED, ...['everything', 'minimal', 'values'].map(toFixture)]
const nomad = findNomad()
const withoutNomad = nomad === null ? 'no recent nomad on PATH or in NOMAD_BIN' : false

function toFixture(name: string): string {
  return join(FIXTURES, `${name}.nomad.hcl`)
}

async function render(file: string) {
  const template = await loadTemplate(readFileSync(file, 'utf8'), basename(file))
  const name = basename(file, '.nomad.hcl')
  const given = join(FIXTURES, `${name}.vars.json`)
  const values: unknown = existsSync(given) ? JSON.parse(readFileSync(given, 'utf8')) : {}
  const job = renderJob(template, values as TemplateValues)
  return {
    template,
    values: values as TemplateValues,
    job,
    golden: join(FIXTURES, `${name}.golden.json`),
  }
}

for (const file of FILES) {
  const name = basename(file)
  t.test(`${name} renders to what nomad job run -output printed`, async (t) => {
    const { job, template, values, golden } = await render(file)
    if (nomad !== null && process.env['WRITE_GOLDEN'] === '1') {
      writeFileSync(golden, runOutput(nomad, file, template, values))
    }
    const { Job: theirs } = JSON.parse(readFileSync(golden, 'utf8')) as { Job: unknown }
    t.same(differences(job, theirs), [])
  })

  t.test(
    `${name} renders to what nomad job run -output prints`,
    { skip: withoutNomad },
    async (t) => {
      const { job, template, values } = await render(file)
      const output = runOutput(nomad ?? '', file, template, values)
      t.same(differences(job, (JSON.parse(output) as { Job: unknown }).Job), [])
    },
  )
}

/** Every name of the table below a schema, as dotted paths; one level of recursion is enough. */
function namesOf(schema: BlockSchema, path: string): string[] {
  const attributes = Object.keys(schema.attributes).map((name) => `${path}.${name}`)
  const blocks = Object.entries(schema.blocks ?? {}).flatMap(([name, row]) => {
    const inner = `${path}.${name}`
    return [inner, ...(typeof row.content === 'string' ? [] : namesOf(row.content, inner))]
  })
  return [...attributes, ...blocks]
}

function namesIn(entries: readonly HclEntry[], path: string): string[] {
  return entries.flatMap((entry) => {
    const inner = `${path}.${entry.name}`
    return entry.kind === 'attribute' ? [inner] : [inner, ...namesIn(entry.entries, inner)]
  })
}

t.test('every row of the table is proven against Nomad', async (t) => {
  const parsed = await parseHcl(readFileSync(toFixture('everything'), 'utf8'), 'everything')
  const written = new Set(parsed.ok ? namesIn(parsed.entries, '') : [])
  // Blocks that stand in several places are one row; written once, they are proven.
  const lastTwo = (path: string) => path.split('.').slice(-2).join('.')
  const seen = new Set([...written].map(lastTwo))
  const unproven = namesOf(jobSchema, '.job').filter((path) => !seen.has(lastTwo(path)))
  t.same(unproven, [])
  t.ok(namesOf(jobSchema, '.job').length > 200, 'and the table is not empty')
})

const text = fc.string({
  unit: fc.constantFrom(...'ab$%{}"\\\n\t é<&#/.x'.split(''), 'e\u0301', '日', '\u{1F600}'),
  maxLength: 14,
})
const quoted = text.map((value) =>
  JSON.stringify(value)
    .slice(1, -1)
    .replaceAll(/([$%])\{/g, '$1 {'),
)
const reference = fc.constantFrom(
  '${var.s}',
  '${ var.n }',
  '${var.b}',
  '${attr.a.b-c}',
  '${NOMAD_X}',
  '${meta["q.r"]}',
)
const composed = fc
  .array(fc.oneof(quoted, reference), { maxLength: 4 })
  .map((parts) => parts.join(''))
  // What is refused has its own test: escapes, directives, and a brace after a reference of Nomad's.
  .filter((value) => !/\$\$\{|%\{|\$\{(?:attr|NOMAD|meta)[^}]*\}[ \t]*\}/.test(value))
const leaf = fc.oneof(
  composed.map((value) => `"${value}"`),
  fc.integer({ min: -99_999, max: 99_999 }).map((value) => String(value / 100)),
  fc.constantFrom('true', 'var.s', 'var.n', 'var.b', 'attr.x.y', 'NOMAD_Z', '1e3', '-7'),
)
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { weight: 4, arbitrary: leaf },
    {
      weight: 1,
      arbitrary: fc.array(tie('value'), { maxLength: 3 }).map((all) => `[${all.join(', ')}]`),
    },
    { weight: 1, arbitrary: tie('value').map((inner) => `{ "k é" = ${inner} }`) },
  ),
}))
const document = fc.record({
  s: text,
  n: fc.integer({ min: -1000, max: 100_000 }),
  b: fc.boolean(),
  env: fc.array(leaf, { maxLength: 5 }),
  config: fc.array(value, { maxLength: 4 }),
})

t.test('any values render as Nomad renders them', { skip: withoutNomad }, async (t) => {
  const file = join(t.testdir({}), 'any.nomad.hcl')
  await fc.assert(
    fc.asyncProperty(document, async ({ env, config, ...values }) => {
      const source = `
variable "s" { default = "q" }
variable "n" { default = 5 }
variable "b" { default = true }
job "x" {
  type = "batch"
  group "g" {
    task "t" {
      driver = "d"
      env {
${env.map((each, at) => `        K${at} = ${each}`).join('\n')}
      }
      config {
${config.map((each, at) => `        k${at} = ${each}`).join('\n')}
      }
    }
  }
}
`
      writeFileSync(file, source)
      const template = await loadTemplate(source, file)
      const output = runOutput(nomad ?? '', file, template, values)
      const found = differences(
        renderJob(template, values),
        (JSON.parse(output) as { Job: unknown }).Job,
      )
      if (found.length > 0) throw new Error(`${found.join('\n')}\n${source}`)
    }),
    { numRuns: 15 },
  )
  t.pass()
})
