/** Nomad job templates: read once, rendered per slice. */
import { CaravanError, type Problem } from '../../model/index.ts'
import type { NomadJob } from '../../nomad/index.ts'
import { parseHcl, type HclBlock, type HclEntry } from '../../platform/index.ts'
import { compileBlock } from './compile.ts'
import type { Compiling, Place, Render, Scope } from './compile-value.ts'
import { readDeclaration, type TemplateVariable } from './declarations.ts'
import { jobSchema } from './schema/job.ts'
import type { WireObject } from './schema/table.ts'
import { formatType, toType, type TemplateValue } from './values.ts'

/** A job file that was read and found to be something that can be rendered. */
export interface JobTemplate {
  file: string
  variables: readonly TemplateVariable[]
  /** The label of the `job` block. */
  label: string
  /** Lines of blocks and attributes by their dotted path. */
  lines: ReadonlyMap<string, number>
  render: Render<WireObject>
}

export type TemplateValues = Readonly<Record<string, TemplateValue>>

/**
 * Reads a Nomad job file.
 *
 * @param file its name, for messages.
 * @throws CaravanError TEMPLATE_INVALID with every problem in `detail.problems`.
 */
export async function loadTemplate(text: string, file: string): Promise<JobTemplate> {
  const parsed = await parseHcl(text, file)
  if (!parsed.ok) throw invalidTemplate(file, parsed.problems)
  const problems: Problem[] = []
  const report = toReporter(file, problems)
  const { variables, job } = sortTopLevel(parsed.entries, report)
  const label = job?.labels[0] ?? ''
  const path = `job.${label}`
  const lines = new Map([[path, job?.line ?? 1]])
  const names = new Set(variables.map((variable) => variable.name))
  const compiling: Compiling = { variables: names, references: 0, lines, report }
  const render: Render<WireObject> = job
    ? compileBlock(job, jobSchema, path, compiling, { ID: label, Name: label })
    : () => ({})
  const template: JobTemplate = { file, label, variables, lines, render }
  // With the defaults everything must fit; whatever does not would not fit any slice either.
  if (problems.length === 0) renderChecked(template, {}, report)
  if (problems.length > 0) throw invalidTemplate(file, problems)
  return template
}

/**
 * The job for these values, as `nomad job run -output -var ...` prints it, but without what is null.
 *
 * Pure: the same values give the same bytes.
 *
 * @throws CaravanError TEMPLATE_INVALID when a value is not declared or does not fit.
 */
export function renderJob(template: JobTemplate, values: TemplateValues): NomadJob {
  const problems: Problem[] = []
  const job = renderChecked(template, values, toReporter(template.file, problems))
  if (problems.length > 0) throw invalidTemplate(template.file, problems)
  return job as NomadJob
}

/** The line of the path, or of the nearest block around it that the template has. */
export function lineOf(template: JobTemplate, path: string): number {
  for (
    let inner = path;
    inner !== '';
    inner = inner.slice(0, Math.max(0, inner.lastIndexOf('.')))
  ) {
    const line = template.lines.get(inner)
    if (line !== undefined) return line
  }
  return 1
}

export function invalidTemplate(file: string, problems: readonly Problem[]): CaravanError {
  const sorted = problems.toSorted((a, b) => a.line - b.line)
  const message = `The job template ${file} can not be used.`
  return new CaravanError('TEMPLATE_INVALID', message, { detail: { problems: sorted } })
}

function renderChecked(
  template: JobTemplate,
  values: TemplateValues,
  report: Scope['report'],
): WireObject {
  const job = template.render(toScope(template.variables, values, report))
  for (const { path, message } of findMissing(job)) {
    const place = ['job', template.label, ...path].join('.')
    report({ line: lineOf(template, place), path: place }, message)
  }
  return job
}

function sortTopLevel(
  entries: readonly HclEntry[],
  report: Scope['report'],
): { variables: TemplateVariable[]; job: HclBlock | undefined } {
  const variables = new Map<string, TemplateVariable>()
  let job: HclBlock | undefined
  for (const entry of entries) {
    const path = entry.kind === 'block' ? [entry.name, ...entry.labels].join('.') : entry.name
    const place = { line: entry.line, path }
    if (entry.kind === 'block' && entry.name === 'variable') {
      const variable = readDeclaration(entry, report)
      const first = variables.get(variable.name)
      if (first) report(place, `is already declared on line ${first.line}`)
      variables.set(variable.name, variable)
    } else if (entry.kind === 'block' && entry.name === 'job') {
      if (job) report(place, `is a second job; the first is on line ${job.line}`)
      else if (entry.labels.length !== 1) report(place, 'write job "name" { ... }')
      job ??= entry
    } else {
      report(place, describeStray(entry.name))
    }
  }
  if (!job) report({ line: 1, path: 'job' }, 'there is no job "name" { ... } in the file')
  return { variables: [...variables.values()], job }
}

function describeStray(name: string): string {
  if (name === 'locals') return 'is not supported; use variable blocks'
  if (name === 'variables') return 'is not supported; write variable "name" { ... } for each'
  return 'has no place here; a template has variable blocks and one job'
}

/** What every user of a rendered job relies on, as paths below the job. */
function findMissing(job: WireObject): { path: string[]; message: string }[] {
  const missing: { path: string[]; message: string }[] = []
  const require = (present: boolean, path: string[], message: string) => {
    if (!present) missing.push({ path, message })
  }
  require(Boolean(job['ID']), ['id'], 'must not be empty')
  require(Boolean(job['Type']), ['type'], 'must be there; slices are "batch"')
  const groups = (job['TaskGroups'] ?? []) as WireObject[]
  require(groups.length > 0, [], 'has no group')
  for (const group of groups) {
    const path = ['group', String(group['Name'])]
    const tasks = (group['Tasks'] ?? []) as WireObject[]
    require(tasks.length > 0, path, 'has no task')
    for (const task of tasks) {
      const inner = [...path, 'task', String(task['Name'])]
      require(Boolean(task['Driver']), [...inner, 'driver'], 'must be there')
      require(task['Config'] !== undefined, [...inner, 'config'], 'must be there')
    }
  }
  return missing
}

function toScope(
  variables: readonly TemplateVariable[],
  values: TemplateValues,
  report: Scope['report'],
): Scope {
  const all = new Map<string, TemplateValue>()
  for (const variable of variables) {
    const given = Object.hasOwn(values, variable.name) ? values[variable.name] : undefined
    const converted = toType(variable.type, given ?? variable.default)
    if (converted.ok) all.set(variable.name, converted.value)
    else report(placeOf(variable), `as ${formatType(variable.type)}: ${converted.message}`)
  }
  for (const name of Object.keys(values)) {
    if (!all.has(name) && !variables.some((variable) => variable.name === name)) {
      report({ line: 1, path: `variable.${name}` }, 'is given a value, but not declared')
    }
  }
  return { values: all, report }
}

function placeOf(variable: TemplateVariable): Place {
  return { line: variable.line, path: `variable.${variable.name}` }
}

function toReporter(file: string, problems: Problem[]): Scope['report'] {
  return ({ line, path }, message) =>
    problems.push({ file, line, path, message: `${path}: ${message}` })
}
