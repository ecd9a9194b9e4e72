/** `caravan config check`: which jobs of a configuration can run, and what keeps the others from it. */
import type { ConfigCheck, JobSpec, Problem } from '../../model/index.ts'
import { formatProblem } from '../../model/index.ts'
import { checkConfig, type JobCheck } from '../../scheduler/index.ts'
import type { Io } from '../io.ts'
import { EXIT, write, writeJsonLine } from '../io.ts'
import { createPalette, type Palette } from '../render/text.ts'
import { type ConfigOptions, readConfigInput } from './read.ts'

/** A job that lacks more is better read in an editor; `--json` has all of them. */
const SHOWN_MAX = 20

/** @returns the exit code: 0 when at least one job can run, else 2. */
export async function check(
  file: string | undefined,
  options: ConfigOptions,
  io: Io,
): Promise<number> {
  const input = await readConfigInput(file, options, io)
  const outcome = checkConfig(input.text, input.options)
  const jobs = outcome.kind === 'checked' ? outcome.jobs : []
  const problems = outcome.kind === 'refused' ? outcome.problems : []
  if (options.json) {
    const answer: ConfigCheck = { file: input.options.file, problems, jobs: jobs.map(toAnswer) }
    await writeJsonLine(io.stdout, answer)
  } else {
    const palette = createPalette(io.stdout.isTTY === true && (io.env['NO_COLOR'] ?? '') === '')
    await write(io.stdout, draw(input.options.file, { problems, jobs }, palette))
  }
  return jobs.some(({ job }) => job !== null) ? EXIT.ok : EXIT.usage
}

function toAnswer({ name, job, problems, warnings }: JobCheck): ConfigCheck['jobs'][number] {
  return { name, can_run: job !== null, problems, warnings }
}

interface Found {
  problems: readonly Problem[]
  jobs: readonly JobCheck[]
}

function draw(file: string, { problems, jobs }: Found, palette: Palette): string {
  if (problems.length > 0) {
    const lines = [palette.bad(`${file} can not be read`), ...toLines(problems)]
    return `${lines.join('\n')}\n`
  }
  const able = jobs.filter(({ job }) => job !== null).length
  const verdict = `${file}: ${able} of ${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'} can run`
  const lines = [able > 0 ? palette.good(verdict) : palette.bad(verdict)]
  // What all jobs share, such as workflows that are left alone, is said once.
  const said = new Set<string>()
  for (const { name, job, problems: own, warnings } of jobs) {
    // What a job that can not run would lose is no news yet.
    const fresh = job === null ? [] : warnings.filter((each) => !said.has(formatProblem(each)))
    for (const each of fresh) said.add(formatProblem(each))
    lines.push('', `${palette.bold(name)}  ${describe(job, palette)}`, ...toLines(own))
    lines.push(...toLines(fresh).map((line) => palette.dim(line)))
  }
  return `${lines.join('\n')}\n`
}

/** `docker cimg/node:22.1 and 1 service, medium, 4 slices, 7 steps`. */
function describe(job: JobSpec | null, palette: Palette): string {
  if (job === null) return palette.bad('can not run')
  const { executor, resource_class, parallelism, steps } = job
  const [primary, ...services] = executor.kind === 'docker' ? executor.containers : []
  const beside = services.length === 0 ? '' : ` and ${count(services.length, 'service')}`
  const where = primary === undefined ? 'machine' : `docker ${primary.image}${beside}`
  const sizes = [count(parallelism, 'slice'), count(steps.length, 'step')]
  return palette.dim([where, resource_class, ...sizes].join(', '))
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

function toLines(problems: readonly Problem[]): string[] {
  const lines = problems.slice(0, SHOWN_MAX).map((each) => `  ${formatProblem(each)}`)
  const more = problems.length - lines.length
  return more > 0 ? [...lines, `  and ${more} more: --json lists all`] : lines
}
