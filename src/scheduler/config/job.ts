/** One job: its keys, their defaults, and how they become a `JobSpec`. */
import { DEFAULT_RESOURCE_CLASS, jobSpec } from '../../model/index.ts'
import type { JobSpec } from '../../model/index.ts'
import { checkRunner, readExecutor, RUNNER_KEYS, toExecutorSpec } from './executor.ts'
import { entrySlot } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'
import { readSteps } from './steps.ts'
import { readMap } from './table.ts'
import { readOneOf, readWholeNumber } from './values.ts'
import { entriesOf } from './yaml-tree.ts'

const DEFAULT_WORKING_DIRECTORY = '~/project'

const { minValue, maxValue } = jobSpec.shape.parallelism

/** What other jobs of a workflow can be; they have other keys, or none. */
const OTHER_TYPES = ['approval', 'no-op', 'release', 'lock', 'unlock']

const readType: Reader<'build'> = (slot, scope) => {
  const { node, at, path } = slot
  if (node.kind !== 'scalar' || !OTHER_TYPES.includes(node.text)) {
    return readOneOf(['build'])(slot, scope)
  }
  scope.report.problem({ at, path, what: `not supported yet: a job of type \`${node.text}\`` })
  return undefined
}

const readParallelism = readWholeNumber(minValue ?? 1, maxValue ?? 1)

export const JOB_KEYS = {
  ...RUNNER_KEYS,
  executor: { read: readExecutor },
  steps: { read: readSteps, required: 'the job has no `steps`' },
  parallelism: { read: readParallelism },
  type: { read: readType },
  parameters: { notYet: 'write the values into the job' },
  circleci_ip_ranges: { notYet: 'remove it, the clients keep their own addresses' },
  retention: { notYet: 'remove it' },
  branches: { notYet: 'remove it, one job is run on any branch' },
} as const

/** One of these says what runs the steps. */
const RUNNERS = ['executor', 'docker', 'machine', 'macos']

/**
 * @param parallelism overrides that of the job.
 * @returns a job that may be run when, and only when, the report has no problem.
 */
export function compileJob(
  name: string,
  slot: Slot,
  scope: Scope,
  parallelism: number | undefined,
): JobSpec | undefined {
  const { node, at, path } = slot
  const type = entriesOf(node).get('type')
  // A job of another type would be told that it lacks what it cannot have.
  if (type && !readType(entrySlot(path, 'type', type), scope)) return undefined
  const values = readMap(slot, JOB_KEYS, scope)
  if (!values) return undefined
  checkRunner(slot, RUNNERS, scope)
  if (parallelism !== undefined && !jobSpec.shape.parallelism.safeParse(parallelism).success) {
    const what = `the parallelism asked for, ${parallelism}, is not one from ${minValue} to ${maxValue}`
    scope.report.problem({ at, path, what })
  }
  // What the job says comes before what its executor says; variables of both are laid over each other.
  const { executor = {}, ...own } = values
  const { shell, working_directory, resource_class } = { ...executor, ...own }
  return {
    name,
    executor: toExecutorSpec({ ...executor, ...own }) ?? { kind: 'machine' },
    resource_class: resource_class ?? DEFAULT_RESOURCE_CLASS,
    parallelism: parallelism ?? values.parallelism ?? 1,
    environment: { ...executor.environment, ...own.environment },
    working_directory: working_directory ?? DEFAULT_WORKING_DIRECTORY,
    ...(shell === undefined ? {} : { shell }),
    steps: values.steps ?? [],
  }
}
