import { BUILT_IN_CLASSES, formatProblem, jobSpec } from '../../../src/model/index.ts'
import type { JobSpec, RunStep } from '../../../src/model/index.ts'
import { checkConfig, compileConfig } from '../../../src/scheduler/config/index.ts'
import type {
  CheckOutcome,
  CompileOptions,
  CompileOutcome,
} from '../../../src/scheduler/config/index.ts'

export const NO_OUTPUT_MS = 600_000

export function compile(text: string, options: Partial<CompileOptions> = {}): CompileOutcome {
  const classes = new Map(BUILT_IN_CLASSES.map((each) => [each.name, each]))
  return compileConfig(text, { file: 'config.yml', classes, noOutputMs: NO_OUTPUT_MS, ...options })
}

export function check(text: string): CheckOutcome {
  const classes = new Map(BUILT_IN_CLASSES.map((each) => [each.name, each]))
  return checkConfig(text, { file: 'config.yml', classes, noOutputMs: NO_OUTPUT_MS })
}

/** The job of a text that must compile; also proves that it has the shape of a `JobSpec`. */
export function compiled(text: string, options: Partial<CompileOptions> = {}): JobSpec {
  const outcome = compile(text, options)
  if (outcome.kind !== 'compiled') throw new Error(`does not compile: ${JSON.stringify(outcome)}`)
  return jobSpec.parse(outcome.job)
}

/** `line:column: message` of every problem of a text that must be refused. */
export function refusals(text: string, options: Partial<CompileOptions> = {}): string[] {
  const outcome = compile(text, options)
  if (outcome.kind !== 'refused') throw new Error(`is not refused: ${JSON.stringify(outcome)}`)
  return outcome.problems.map((problem) => formatProblem(problem).replace('config.yml:', ''))
}

/** What a text that compiles is warned about. */
export function warnings(text: string, options: Partial<CompileOptions> = {}): string[] {
  const outcome = compile(text, options)
  if (outcome.kind !== 'compiled') throw new Error(`does not compile: ${JSON.stringify(outcome)}`)
  return outcome.warnings.map((problem) => formatProblem(problem).replace('config.yml:', ''))
}

/** A file with one job: the lines given stand inside it, from line 4 on, indented by four. */
export function jobWith(lines: string, version = '2'): string {
  return `version: ${version}\njobs:\n  test:\n${indented(lines, 4)}\n`
}

/** A file with one job of one step: the lines given stand inside `- run:`, from line 7 on. */
export function runWith(lines: string, version = '2'): string {
  return jobWith(`machine: true\nsteps:\n  - run:\n${indented(lines, 6)}`, version)
}

export function runStep(text: string): RunStep {
  const [step] = compiled(text).steps
  if (step?.kind !== 'run') throw new Error('the first step is no run')
  return step
}

function indented(lines: string, by: number): string {
  return lines
    .split('\n')
    .map((line) => (line === '' ? '' : ' '.repeat(by) + line))
    .join('\n')
}
