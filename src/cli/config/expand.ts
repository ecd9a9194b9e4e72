/** `caravan config expand`: what a configuration means, with everything filled in. */
import type { ConfigExpansion, JobSpec, Problem } from '../../model/index.ts'
import { formatProblem } from '../../model/index.ts'
import { checkConfig, compileConfig, printJobs, withoutPasswords } from '../../scheduler/index.ts'
import type { Io } from '../io.ts'
import { EXIT, write, writeJsonLine } from '../io.ts'
import { type ConfigInput, type ConfigOptions, readConfigInput } from './read.ts'

export interface ExpandOptions extends ConfigOptions {
  job?: string
}

/** @returns the exit code: 0 when at least one job can run, else 2. */
export async function expand(
  file: string | undefined,
  options: ExpandOptions,
  io: Io,
): Promise<number> {
  const input = await readConfigInput(file, options, io)
  const { jobs, problems } =
    options.job === undefined ? compileAll(input) : compileOne(input, options.job)
  for (const each of problems) io.stderr.write(`caravan: ${formatProblem(each)}\n`)
  if (options.json) {
    const shown = jobs.map(withoutPasswords)
    const answer: ConfigExpansion = { file: input.options.file, jobs: shown, problems }
    await writeJsonLine(io.stdout, answer)
  } else if (jobs.length > 0) {
    await write(io.stdout, printJobs(jobs))
  }
  return jobs.length > 0 ? EXIT.ok : EXIT.usage
}

interface Expanded {
  jobs: JobSpec[]
  problems: Problem[]
}

function compileOne({ text, options }: ConfigInput, job: string): Expanded {
  const outcome = compileConfig(text, { ...options, job })
  if (outcome.kind === 'compiled') return { jobs: [outcome.job], problems: [] }
  return { jobs: [], problems: outcome.kind === 'refused' ? outcome.problems : [] }
}

function compileAll({ text, options }: ConfigInput): Expanded {
  const outcome = checkConfig(text, options)
  if (outcome.kind === 'refused') return { jobs: [], problems: outcome.problems }
  const jobs = outcome.jobs.flatMap(({ job }) => (job === null ? [] : [job]))
  // A mistake in a command that several jobs call is one mistake.
  const problems = new Map(
    outcome.jobs.flatMap((each) => each.problems).map((each) => [formatProblem(each), each]),
  )
  return { jobs, problems: [...problems.values()] }
}
