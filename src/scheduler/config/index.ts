/**
 * `.circleci/config.yml` to `JobSpec`: the language of versions 2 and 2.1, as far as it is supported.
 *
 * What a chosen job uses and Caravan does not support is refused with its place and name; what the job
 * does not touch does not stand in its way. `docs/reference/config.md` lists what is supported.
 */
import { suggest, type JobSpec, type Problem, type ResourceClass } from '../../model/index.ts'
import { compileJob } from './job.ts'
import { createReport, listed, shown } from './report.ts'
import type { Place, Report } from './report.ts'
import { createBudget, entrySlot } from './scope.ts'
import { checkTopLevel } from './top-level.ts'
import type { TopLevel } from './top-level.ts'
import { warnOfUnused, warnOfWorkflows } from './left-alone.ts'
import { parseYaml } from './yaml.ts'
import { entriesOf } from './yaml-tree.ts'
import type { YamlEntry } from './yaml-tree.ts'

export interface CompileOptions {
  /** Name of the file, for messages. */
  file: string
  /** Which job; may be left out when there is only one. */
  job?: string
  /** Overrides the job's own. */
  parallelism?: number
  classes: ReadonlyMap<string, ResourceClass>
  /** For steps that set no `no_output_timeout`, in milliseconds. */
  noOutputMs: number
}

export type CompileOutcome =
  /** Warnings name what is not applied, sorted by place. */
  | { kind: 'compiled'; job: JobSpec; warnings: Problem[] }
  /** Sorted by place; never empty. */
  | { kind: 'refused'; problems: Problem[] }
  /** The file has several jobs and none was asked for. */
  | { kind: 'choose'; jobs: string[] }

/** What a file means, job by job. */
export type CheckOutcome =
  /** In the order of the file; never empty. */
  | { kind: 'checked'; jobs: JobCheck[] }
  /** The file itself; sorted by place, never empty. */
  | { kind: 'refused'; problems: Problem[] }

export interface JobCheck {
  name: string
  /** Null when the job can not be run: then there are problems. */
  job: JobSpec | null
  problems: Problem[]
  warnings: Problem[]
}

/** The largest file seen in public has 55; aliases could make one job the work of thousands. */
export const CHECKED_JOBS_MAX = 1000

/** Compiles one job of a configuration file. Pure; never throws, whatever the text holds. */
export function compileConfig(text: string, options: CompileOptions): CompileOutcome {
  const file = openConfig(text, options)
  if (file.kind === 'refused') return file
  const { top, report } = file
  const names = [...top.jobs.keys()]
  const name = options.job ?? (names.length === 1 ? names[0] : undefined)
  if (name === undefined) return { kind: 'choose', jobs: names }
  const entry = top.jobs.get(name)
  if (!entry) {
    const near = suggest(name, names)
    report.problem({
      at: top.entries.get('jobs')?.keyAt ?? 0,
      path: 'jobs',
      what: `no job \`${shown(name)}\``,
      hint: `the file has ${listed(names)}${near === null ? '' : `, did you mean \`${near}\`?`}`,
    })
    return { kind: 'refused', problems: report.problems }
  }
  const { job, problems, warnings } = compileEntry({ name, entry }, file, options)
  return job ? { kind: 'compiled', job, warnings } : { kind: 'refused', problems }
}

/** Compiles every job of a configuration file, each by itself. Pure; never throws. */
export function checkConfig(
  text: string,
  options: Omit<CompileOptions, 'job' | 'parallelism'>,
): CheckOutcome {
  const file = openConfig(text, options)
  if (file.kind === 'refused') return file
  const { top, report } = file
  if (top.jobs.size > CHECKED_JOBS_MAX) {
    const at = top.entries.get('jobs')?.keyAt ?? 0
    const what = `${top.jobs.size} jobs: at most ${CHECKED_JOBS_MAX} are checked`
    report.problem({ at, path: 'jobs', what, hint: 'split the file' })
    return { kind: 'refused', problems: report.problems }
  }
  const jobs = [...top.jobs].map(([name, entry]) => compileEntry({ name, entry }, file, options))
  return { kind: 'checked', jobs }
}

interface OpenConfig {
  kind: 'open'
  top: TopLevel
  report: Report
  place: Place
}

/** What holds for all jobs of a file. */
function openConfig(
  text: string,
  options: Pick<CompileOptions, 'file'>,
): OpenConfig | { kind: 'refused'; problems: Problem[] } {
  const { faults, place, root } = parseYaml(text)
  const report = createReport(options.file, place)
  for (const { at, message } of faults) report.problem({ at, path: '', what: message })
  const top = faults.length === 0 ? checkTopLevel(root, report) : undefined
  if (!top) return { kind: 'refused', problems: report.problems }
  return { kind: 'open', top, report, place }
}

function compileEntry(
  { name, entry }: { name: string; entry: YamlEntry },
  { top, place }: OpenConfig,
  options: CompileOptions,
): JobCheck {
  const report = createReport(options.file, place)
  const hasExpressions = top.version === '2.1'
  const definedAs = (key: string) =>
    entriesOf(hasExpressions ? top.entries.get(key)?.node : undefined)
  const scope = {
    report,
    hasExpressions,
    classes: options.classes,
    noOutputMs: options.noOutputMs,
    commands: definedAs('commands'),
    executors: definedAs('executors'),
    orbs: entriesOf(top.entries.get('orbs')?.node),
    spend: createBudget(report),
  }
  const slot = { ...entrySlot('jobs', name, entry), at: entry.keyAt }
  const job = compileJob(name, slot, scope, options.parallelism)
  warnOfUnused(top.entries, scope)
  warnOfWorkflows(top.entries.get('workflows')?.node, name, scope)
  const { problems, warnings } = report
  return { name, job: job && problems.length === 0 ? job : null, problems, warnings }
}
