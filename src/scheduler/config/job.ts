/** One job: its keys, their defaults, and how they become a `JobSpec`. */
import { DEFAULT_RESOURCE_CLASS, jobSpec } from '../../model/index.ts'
import type { JobSpec } from '../../model/index.ts'
import { readEnvironment } from './environment.ts'
import { readMachine, readResourceClass } from './machine.ts'
import { entrySlot } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'
import { readSteps } from './steps.ts'
import { readMap } from './table.ts'
import { readFilledText, readOneOf, readPath, readText, readWholeNumber } from './values.ts'
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
  machine: { read: readMachine },
  steps: { read: readSteps, required: 'the job has no `steps`' },
  environment: { read: readEnvironment },
  working_directory: { read: readPath },
  shell: { read: readFilledText },
  parallelism: { read: readParallelism },
  resource_class: { read: readResourceClass },
  description: { read: readText },
  type: { read: readType },
  docker: { notYet: 'write `machine: true`, the steps then run on the Nomad client itself' },
  macos: { notYet: 'there are no macOS clients' },
  executor: { notYet: 'write the keys of the executor into the job' },
  parameters: { notYet: 'write the values into the job' },
  circleci_ip_ranges: { notYet: 'remove it, the clients keep their own addresses' },
  retention: { notYet: 'remove it' },
  branches: { notYet: 'remove it, one job is run on any branch' },
} as const

/** One of these says what runs the steps. */
const EXECUTORS = ['machine', 'docker', 'macos', 'executor']

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
  if (node.kind === 'map' && !EXECUTORS.some((key) => node.entries.has(key))) {
    const what = 'the job does not say what runs it'
    scope.report.problem({ at, path, what, hint: 'add `machine: true`' })
  }
  if (parallelism !== undefined && !jobSpec.shape.parallelism.safeParse(parallelism).success) {
    const what = `the parallelism asked for, ${parallelism}, is not one from ${minValue} to ${maxValue}`
    scope.report.problem({ at, path, what })
  }
  const { shell } = values
  return {
    name,
    executor: { kind: 'machine' },
    resource_class: values.resource_class ?? DEFAULT_RESOURCE_CLASS,
    parallelism: parallelism ?? values.parallelism ?? 1,
    environment: values.environment ?? {},
    working_directory: values.working_directory ?? DEFAULT_WORKING_DIRECTORY,
    ...(shell === undefined ? {} : { shell }),
    steps: values.steps ?? [],
  }
}
