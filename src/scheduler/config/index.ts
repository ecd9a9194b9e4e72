/**
 * `.circleci/config.yml` to `JobSpec`: the language of versions 2 and 2.1, as far as it is supported.
 *
 * What a chosen job uses and Caravan does not support is refused with its place and name; what the job
 * does not touch does not stand in its way. `docs/reference/config.md` lists what is supported.
 */
import { suggest, type JobSpec, type Problem, type ResourceClass } from '../../model/index.ts'
import { compileJob } from './job.ts'
import { createReport, listed, shown } from './report.ts'
import { createBudget, entrySlot } from './scope.ts'
import { checkTopLevel } from './top-level.ts'
import { warnOfWorkflows } from './workflow-warnings.ts'
import { parseYaml } from './yaml.ts'
import { entriesOf } from './yaml-tree.ts'

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

/** Compiles one job of a configuration file. Pure; never throws, whatever the text holds. */
export function compileConfig(text: string, options: CompileOptions): CompileOutcome {
  const file = parseYaml(text)
  const report = createReport(options.file, file.place)
  for (const { at, message } of file.faults) report.problem({ at, path: '', what: message })
  const top = file.faults.length === 0 ? checkTopLevel(file.root, report) : undefined
  if (!top) return { kind: 'refused', problems: report.problems }

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

  const scope = {
    report,
    hasExpressions: top.version === '2.1',
    classes: options.classes,
    noOutputMs: options.noOutputMs,
    commands: entriesOf(top.entries.get('commands')?.node),
    orbs: entriesOf(top.entries.get('orbs')?.node),
    spend: createBudget(report),
  }
  const slot = { ...entrySlot('jobs', name, entry), at: entry.keyAt }
  const job = compileJob(name, slot, scope, options.parallelism)
  warnOfWorkflows(top.entries.get('workflows')?.node, name, scope)
  const { problems, warnings } = report
  return job && problems.length === 0
    ? { kind: 'compiled', job, warnings }
    : { kind: 'refused', problems }
}
