/**
 * Compiled jobs, written in the language they came from.
 *
 * What is printed compiles to the same jobs again, but for passwords, which are not shown.
 */
import { stringify } from 'yaml'
import { toVariableName } from '../../model/index.ts'
import type { ContainerSpec, JobSpec, StepSpec } from '../../model/index.ts'

const HIDDEN = '(not shown)'

/** @returns a whole configuration file, with every default written out. */
export function printJobs(jobs: readonly JobSpec[]): string {
  const file = { version: 2.1, jobs: new Map(jobs.map((job) => [job.name, toJobMap(job)])) }
  // Lines stay as long as they are, and nothing becomes an alias: the reader wants to see it all.
  return stringify(file, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.2' })
}

/** A password that stands in the file itself is nothing to print. */
export function withoutPasswords(job: JobSpec): JobSpec {
  const { executor } = job
  if (executor.kind !== 'docker') return job
  const containers = executor.containers.map((container) => {
    const { auth } = container
    if (auth === undefined || toVariableName(auth.password) !== null) return container
    return { ...container, auth: { ...auth, password: HIDDEN } }
  })
  return { ...job, executor: { ...executor, containers } }
}

function toJobMap(given: JobSpec): object {
  const { name: _, executor, environment, steps, ...job } = withoutPasswords(given)
  return escaped({
    ...(executor.kind === 'docker'
      ? { docker: executor.containers.map(toContainerMap) }
      : { machine: true }),
    resource_class: job.resource_class,
    parallelism: job.parallelism,
    working_directory: job.working_directory,
    ...(job.shell === undefined ? {} : { shell: job.shell }),
    ...filled({ environment }),
    steps: steps.flatMap(toStepMap),
  })
}

function toContainerMap({ environment, ...container }: ContainerSpec): object {
  return { ...container, ...filled({ environment }) }
}

/** What a job in containers gets beside its own steps nobody has written. */
function toStepMap(step: StepSpec): object | [] {
  if (step.kind === 'environment' || step.kind === 'service') return []
  if (step.kind === 'checkout') {
    const { kind: _, ...checkout } = step
    return { checkout }
  }
  const { kind: _, name, command, environment, background, when, ...run } = step
  const { no_output_timeout_ms, max_auto_reruns, auto_rerun_delay_ms, ...places } = run
  return {
    run: {
      ...(name === command ? {} : { name }),
      command,
      ...places,
      ...filled({ environment }),
      when,
      ...(background ? { background } : {}),
      ...durationOf('no_output_timeout', no_output_timeout_ms),
      ...(max_auto_reruns === undefined ? {} : { max_auto_reruns }),
      ...durationOf('auto_rerun_delay', auto_rerun_delay_ms),
    },
  }
}

/** An empty map says nothing. */
function filled(map: { environment: Record<string, string> }): object {
  return Object.keys(map.environment).length === 0 ? {} : map
}

function durationOf(key: string, ms: number | undefined): object {
  if (ms === undefined) return {}
  const units: [string, number][] = [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ]
  const [unit, size] = units.find(([, each]) => ms % each === 0) ?? ['ms', 1]
  return { [key]: `${ms / size}${unit}` }
}

/** `<<` would start an expression. */
function escaped(value: unknown): object {
  const walk = (each: unknown): unknown => {
    if (typeof each === 'string') return each.replaceAll('<<', '\\<<')
    if (Array.isArray(each)) return each.map(walk)
    if (typeof each !== 'object' || each === null) return each
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, walk(inner)]))
  }
  return walk(value) as object
}
