/** What runs a job: written into it, or an executor of the file that it names. */
import { suggest } from '../../model/index.ts'
import type { ExecutorSpec } from '../../model/index.ts'
import { readDocker } from './docker.ts'
import { readEnvironment } from './environment.ts'
import { readMachine, readResourceClass } from './machine.ts'
import { listed, shown } from './report.ts'
import { entrySlot, hasParameters } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'
import { readMap } from './table.ts'
import type { Values } from './table.ts'
import { readFilledText, readPath, readShell, readText } from './values.ts'

/** Keys that an executor and a job have in common. */
export const RUNNER_KEYS = {
  docker: { read: readDocker },
  machine: { read: readMachine },
  environment: { read: readEnvironment },
  working_directory: { read: readPath },
  shell: { read: readShell },
  resource_class: { read: readResourceClass },
  description: { read: readText },
  macos: { notYet: 'there are no macOS clients' },
} as const

export const EXECUTOR_KEYS = {
  ...RUNNER_KEYS,
  parameters: { notYet: 'write the values into the executor' },
} as const

export type RunnerValues = Values<typeof RUNNER_KEYS>

/** The name of an executor of the file, alone or as `name` of a map. @returns what the executor says. */
export const readExecutor: Reader<RunnerValues> = (slot, scope) => {
  const named = readExecutorName(slot, scope)
  if (named === undefined) return undefined
  const { name, place } = named
  const entry = scope.executors.get(name)
  if (!entry) return refuseUnknown(name, place, scope)
  if (hasParameters(entry.node)) {
    const what = `not supported yet: the executor \`${shown(name)}\` has parameters`
    const hint = 'write what it says into the job'
    scope.report.problem({ at: place.at, path: place.path, what, hint })
    return undefined
  }
  const own = { ...entrySlot('executors', name, entry), at: entry.keyAt }
  const values = readMap(own, EXECUTOR_KEYS, scope)
  checkRunner(own, ['docker', 'machine', 'macos'], scope)
  return values
}

function readExecutorName(slot: Slot, scope: Scope): { name: string; place: Slot } | undefined {
  if (slot.node.kind !== 'map') {
    const name = readFilledText(slot, scope)
    return name === undefined ? undefined : { name, place: slot }
  }
  const { entries } = slot.node
  const entry = entries.get('name')
  if (!entry) {
    const what = 'the `name` of the executor is missing'
    scope.report.problem({ at: slot.at, path: slot.path, what })
    return undefined
  }
  const given = [...entries.keys()].filter((key) => key !== 'name')
  if (given.length > 0) {
    const what = `not supported yet: parameters of an executor: ${listed(given)}`
    const hint = 'write what the executor says into the job'
    scope.report.problem({ at: slot.at, path: slot.path, what, hint })
    return undefined
  }
  const place = entrySlot(slot.path, 'name', entry)
  const name = readFilledText(place, scope)
  return name === undefined ? undefined : { name, place }
}

function refuseUnknown(name: string, { at, path }: Slot, scope: Scope): undefined {
  const orb = name.split('/', 1)[0] ?? ''
  if (!scope.hasExpressions) {
    const what = 'a file of this version has no executors'
    scope.report.problem({ at, path, what, hint: 'write `version: 2.1`' })
  } else if (name.includes('/') && scope.orbs.has(orb)) {
    const owner = `an executor of the orb \`${shown(orb)}\``
    const what = `not supported yet: \`${shown(name)}\`, ${owner}`
    scope.report.problem({ at, path, what, hint: 'write what runs the job into it' })
  } else {
    const near = suggest(name, scope.executors.keys())
    const known = `the file has ${listed(scope.executors.keys())}`
    const none = 'the file has no executors'
    const hint =
      near !== null ? `did you mean \`${near}\`?` : scope.executors.size > 0 ? known : none
    scope.report.problem({ at, path, what: `unknown executor \`${shown(name)}\``, hint })
  }
  return undefined
}

/** Exactly one of these keys says what runs the steps. One that is refused by name counts as said. */
export function checkRunner({ node, at, path }: Slot, keys: readonly string[], scope: Scope): void {
  if (node.kind !== 'map') return
  const { entries } = node
  const [first, second] = keys.filter((key) => entries.has(key))
  if (first === undefined) {
    const what = `the ${path.startsWith('jobs.') ? 'job' : 'executor'} does not say what runs it`
    const hint = 'add `docker` with an image, or `machine: true`'
    scope.report.problem({ at, path, what, hint })
  } else if (second !== undefined && second !== 'macos') {
    const what = `\`${first}\` and \`${second}\` both say what runs it`
    const place = entries.get(second)?.keyAt ?? at
    scope.report.problem({ at: place, path, what, hint: 'remove one of them' })
  }
}

/** @returns undefined for what is refused elsewhere. */
export function toExecutorSpec({ docker, machine }: RunnerValues): ExecutorSpec | undefined {
  if (docker) return { kind: 'docker', containers: docker }
  return machine ? { kind: 'machine' } : undefined
}
