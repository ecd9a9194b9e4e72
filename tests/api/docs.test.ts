import { readFile } from 'node:fs/promises'
import t from 'tap'
import { z } from 'zod'
import { version } from '../../src/cli/version.ts'
import { toBuildLine } from '../../src/cli/render/json.ts'
import {
  AGENT_REFUSALS,
  attemptView,
  BUILD_STATES,
  buildList,
  buildRequest,
  buildSummary,
  buildView,
  completeReport,
  configCheck,
  configExpansion,
  demandAnswer,
  demandClass,
  demandEvent,
  demandSlice,
  drainReport,
  dryRunAnswer,
  ERRORS,
  errorBody,
  followEvent,
  healthAnswer,
  lifecycleEvent,
  noticeView,
  REASONS,
  renderedSlice,
  runnerTick,
  RESULTS,
  SLICE_STATES,
  sliceView,
  sourceAnswer,
  STEP_STATES,
  stepView,
  tokenList,
  tokenRequest,
  tokenView,
  whoAmI,
} from '../../src/model/index.ts'
import { aBuild } from '../support/builds.ts'
import { call, startScripted } from '../support/scripted-api.ts'

const openApi = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        parameters: z.array(z.object({ in: z.string(), name: z.string() })).default([]),
      }),
    ),
  ),
})

async function readPage(name: string): Promise<string> {
  return readFile(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8')
}

/** First columns of the tables in a piece of a page. */
function readRows(text: string): string[] {
  return [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name ?? '')
}

function readSection(page: string, title: string): string {
  const sections = page.split(/^## /m)
  const found = sections.find((section) => section.startsWith(`${title}\n`))
  if (found === undefined) throw new Error(`there is no section ${title}`)
  return found
}

async function readRoutes(t: Parameters<typeof startScripted>[0]) {
  const { api } = await startScripted(t)
  const { paths } = openApi.parse((await call(api, 'GET', '/openapi.json')).json)
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters }]) => ({
      name: `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
      query: parameters.filter((each) => each.in === 'query').map((each) => each.name),
    })),
  )
}

t.test('the API page names every route and every parameter, and no other', async (t) => {
  const page = await readPage('api.md')
  const routes = await readRoutes(t)
  const documented = readRows(page).filter(
    (row) => /^(GET|POST|DELETE) /.test(row) && !row.includes('?'),
  )
  const expected = [...routes.map((route) => route.name), 'GET /openapi.json']
  t.same(documented.toSorted(), expected.toSorted())
  const isParameter = (row: string) => /^[a-z_]+$/.test(row) && !Object.hasOwn(AGENT_REFUSALS, row)
  const parameters = new Set(readRows(page).filter(isParameter))
  t.same([...parameters].sort(), [...new Set(routes.flatMap((route) => route.query))].sort())
})

t.test('the API page names every error with its status', async (t) => {
  const page = await readPage('api.md')
  const documented = [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(
    ([, code, status]) => `${code} ${status}`,
  )
  const expected = [
    ...Object.entries(ERRORS).map(([code, { status }]) => `${code} ${status}`),
    ...Object.entries(AGENT_REFUSALS).map(([code, status]) => `${code} ${status}`),
  ]
  t.same(documented.toSorted(), expected.toSorted())
})

t.test('the JSON page names every field of every shape, and no other', async (t) => {
  const page = await readPage('json.md')
  const summary = toFields(buildSummary)
  const shapes: Record<string, string[]> = {
    'Build summary': summary,
    Build: toFields(buildView).filter((field) => !summary.includes(field)),
    Slice: toFields(sliceView),
    Attempt: toFields(attemptView),
    Notice: toFields(noticeView),
    Step: toFields(stepView),
    'Build list': toFields(buildList),
    'Build request': toFields(buildRequest),
    Source: toFields(sourceAnswer),
    'Dry run': toFields(dryRunAnswer),
    'Rendered slice': toFields(renderedSlice),
    Events: followEvent.options.flatMap((option) => toFields(option)),
    Demand: toFields(demandAnswer),
    'Demand class': toFields(demandClass),
    'Demand slice': toFields(demandSlice),
    'Demand events': demandEvent.options.flatMap((option) => toFields(option)),
    'Drain report': toFields(drainReport),
    'Complete report': toFields(completeReport),
    'Runner tick': toFields(runnerTick),
    'Lifecycle events': lifecycleEvent.options.map((option) => option.shape.type.value),
    Submitted: ['type', 'id', 'number'],
    Health: toFields(healthAnswer),
    'Configuration check': [
      ...toFields(configCheck),
      ...toFields(configCheck.shape.jobs.element).map((field) => `jobs[].${field}`),
    ],
    'Configuration expansion': toFields(configExpansion),
    Problem: toFields(configExpansion.shape.problems.element),
    Token: toFields(tokenView),
    'Token request': toFields(tokenRequest),
    'Token list': toFields(tokenList),
    'Who am I': toFields(whoAmI),
    Error: toFields(errorBody),
    Reasons: Object.keys(REASONS),
  }
  for (const [title, fields] of Object.entries(shapes)) {
    t.same(readRows(readSection(page, title)), fields, title)
  }
  const events = readSection(page, 'Events')
  const types = [...events.matchAll(/^\| `type` \| `(\w+)` \|/gm)].map(([, type]) => type)
  t.same(
    types,
    followEvent.options.map((option) => option.shape.type.value),
  )
})

t.test('the JSON page names every field that only commands print', async (t) => {
  const page = await readPage('json.md')
  const result: unknown = JSON.parse(JSON.stringify(toBuildLine(aBuild())))
  t.same(readRows(readSection(page, 'Result')), toPaths(result))
  let text = ''
  const stdout = {
    write: (chunk: string | Uint8Array) => (text += chunk.toString()) !== '',
    once: () => undefined,
    off: () => undefined,
  }
  const signal = new AbortController().signal
  version({ json: true }, { stdout, stderr: stdout, env: {}, cwd: '', signal })
  t.same(readRows(readSection(page, 'Version')), toPaths(JSON.parse(text)))
})

t.test('the JSON page names every state, and every reason as it is', async (t) => {
  const page = await readPage('json.md')
  const states = readSection(page, 'States')
  for (const state of [...BUILD_STATES, ...SLICE_STATES, ...STEP_STATES, ...RESULTS]) {
    t.ok(states.includes(`\`${state}\``), state)
  }
  for (const [reason, { result, retried, sentence }] of Object.entries(REASONS)) {
    const row = `| \`${reason}\` | \`${result}\` | ${retried ? 'yes' : 'no'} | ${sentence} |`
    t.ok(page.includes(row), row)
  }
})

/** Names of the fields; those of an object within are dotted, unless it has a section of its own. */
function toFields(schema: z.ZodObject): string[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    const isOwn =
      field === buildView || field === stepView || field === demandAnswer || name === 'slice'
    if (!(field instanceof z.ZodObject) || isOwn) return [name]
    return toFields(field).map((inner) => `${name}.${inner}`)
  })
}

/** The same of a value; of an array, those of its elements after its own. */
function toPaths(value: unknown, prefix = ''): string[] {
  if (Array.isArray(value)) return toPaths(value[0], prefix)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, field]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    return [path, ...toPaths(field, path)]
  })
}
