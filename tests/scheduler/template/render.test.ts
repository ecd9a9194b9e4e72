import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import {
  canonicalBytes,
  hashJob,
  loadTemplate,
  renderJob,
} from '../../../src/scheduler/template/index.ts'

const VALUES = join(import.meta.dirname, '../../fixtures/templates/values.nomad.hcl')
const source = readFileSync(VALUES, 'utf8')

t.test('the same values give the same bytes, whatever was rendered in between', async (t) => {
  const template = await loadTemplate(source, 'values.nomad.hcl')
  const again = await loadTemplate(source, 'values.nomad.hcl')
  fc.assert(
    fc.property(fc.string(), fc.integer(), fc.array(fc.string()), (text, number, list) => {
      const values = { text, number, list }
      const first = JSON.stringify(renderJob(template, values))
      renderJob(template, {})
      return (
        first === JSON.stringify(renderJob(template, values)) &&
        first === JSON.stringify(renderJob(again, { list, number, text }))
      )
    }),
    { numRuns: 100 },
  )
  t.pass()
})

t.test('a job that its owner changes leaves the next one alone', async (t) => {
  const template = await loadTemplate(source, 'values.nomad.hcl')
  const before = canonicalBytes(renderJob(template, {}))
  const job = renderJob(template, {})
  const [task] = job.TaskGroups[0]?.Tasks ?? []
  Object.assign(task?.Env ?? {}, { ADDED: 'x' })
  const list = task?.Config['list']
  if (Array.isArray(list)) list.push('added')
  Object.assign(job.Meta ?? {}, { added: 'x' })
  job.Datacenters?.push('added')
  t.not(canonicalBytes(job).equals(before), true)
  t.equal(canonicalBytes(renderJob(template, {})).equals(before), true)
})

t.test('values are literal: what looks like a reference in them is not resolved', async (t) => {
  const template = await loadTemplate(source, 'values.nomad.hcl')
  const text = '${var.number} ${upper("x")} %{ if } $${y} "q" \n é'
  const job = renderJob(template, { text })
  t.equal(job.TaskGroups[0]?.Tasks[0]?.Env?.['QUOTED'], text)
  t.equal(job.TaskGroups[0]?.Tasks[0]?.Env?.['BOTH']?.startsWith('${NOMAD_TASK_DIR}/${var.'), true)
})

t.test(
  'the canonical bytes do not hang on the order of keys, and the hash tells jobs apart',
  async (t) => {
    const template = await loadTemplate(source, 'values.nomad.hcl')
    const job = renderJob(template, {})
    const reversed = Object.fromEntries(Object.entries(job).toReversed()) as typeof job
    t.equal(canonicalBytes(reversed).equals(canonicalBytes(job)), true)
    t.same(JSON.parse(canonicalBytes(job).toString()), job)
    t.match(hashJob(job), /^[0-9a-f]{64}$/)
    t.not(hashJob(renderJob(template, { number: 6 })), hashJob(job))
  },
)

t.test('a template is read once and renders thousands of jobs a second', async (t) => {
  const template = await loadTemplate(source, 'values.nomad.hcl')
  const started = process.hrtime.bigint()
  for (let number = 0; number < 2000; number++) renderJob(template, { number })
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  // Far below what it takes, so that a busy machine does not fail it, and far above need.
  t.ok(2000 / seconds > 1000, `${Math.round(2000 / seconds)} jobs a second`)
})
