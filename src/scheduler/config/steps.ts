/** The steps of a job: which kinds there are, and how commands of the file become steps. */
import { suggest } from '../../model/index.ts'
import type { StepSpec } from '../../model/index.ts'
import { readCheckout, readRun } from './run.ts'
import { listed, shown } from './report.ts'
import { describe, entrySlot, hasParameters } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'
import { readMap, refuseKey, reportFaults, rowOf } from './table.ts'
import { readText } from './values.ts'
import { EMPTY, isNothing } from './yaml-tree.ts'
import type { YamlEntry, YamlMap } from './yaml-tree.ts'

/** Jobs of people have some 30 at most; aliases and commands could repeat one without end. */
export const STEPS_MAX = 1000

/** Commands that call commands; those of people are two or three deep. */
export const CALLS_DEPTH_MAX = 64

export const STEP_KEYS = {
  run: { read: readRun },
  checkout: { read: readCheckout },
  save_cache: { notYet: 'remove it, every run starts without caches' },
  restore_cache: { notYet: 'remove it, every run starts without caches' },
  store_artifacts: { notYet: 'print what matters, or upload it with a `run` step' },
  store_test_results: { notYet: 'the output of the step tells which tests failed' },
  persist_to_workspace: { notYet: 'a job is run alone' },
  attach_workspace: { notYet: 'a job is run alone: make its input in a `run` step' },
  setup_remote_docker: { notYet: 'with `machine: true` the Docker of the client is at hand' },
  add_ssh_keys: { notYet: '' },
  deploy: { notYet: 'write `run` instead' },
  steps: { notYet: 'write the steps themselves into the list' },
  when: { notYet: 'write the condition in the shell of a `run` step' },
  unless: { notYet: 'write the condition in the shell of a `run` step' },
} as const

/** Its steps are read where the command is called. */
const readLater: Reader<Slot> = (slot) => slot

export const COMMAND_KEYS = {
  steps: { read: readLater, required: 'the command has no `steps`' },
  description: { read: readText },
  parameters: { notYet: 'write the values into the command' },
} as const

/** Where a reader of steps stands. */
interface Splice {
  /** The commands that led here, outermost first. */
  readonly calls: readonly string[]
  /** Steps and calls met so far in the whole job. */
  readonly met: { count: number }
}

/** The list under `steps` of a job. A step that cannot be used is left out. */
export const readSteps: Reader<StepSpec[]> = (slot, scope) => {
  const { node, at, path } = slot
  if (node.kind === 'list' && node.items.length === 0) {
    scope.report.problem({ at, path, what: 'a job needs at least one step' })
  }
  const before = scope.report.problems.length
  const steps = readList(slot, scope, { calls: [], met: { count: 0 } })
  const isWell = scope.report.problems.length === before
  if (isWell && steps.length === 0 && node.kind === 'list' && node.items.length > 0) {
    scope.report.problem({ at, path, what: 'the commands of the job hold no step' })
  }
  return steps
}

function readList(slot: Slot, scope: Scope, splice: Splice): StepSpec[] {
  const { node, at, path } = slot
  const { report } = scope
  if (node.kind !== 'list') {
    report.problem({ at, path, what: `not a list of steps but ${describe(node)}` })
    return []
  }
  const steps: StepSpec[] = []
  for (const [index, item] of node.items.entries()) {
    if (report.full || splice.met.count > STEPS_MAX) break
    if (++splice.met.count > STEPS_MAX) {
      const what = `a job has at most ${STEPS_MAX} steps, those of its commands included`
      report.problem({ at: item.at, path, what })
      break
    }
    steps.push(...readStep({ ...item, path: `${path}[${index}]` }, scope, splice))
  }
  return steps
}

function readStep(slot: Slot, scope: Scope, splice: Splice): StepSpec[] {
  const { node, at, path } = slot
  if (node.kind === 'map') return readStepMap(node, slot, scope, splice)
  if (node.kind === 'scalar' && !isNothing(node)) {
    return readNamed(node.text, { node: EMPTY, at, path }, scope, splice)
  }
  const what = `a step is a name or a map, not ${describe(node)}`
  const hint = node.kind === 'list' ? { hint: 'a list inside `steps` is not joined to it' } : {}
  scope.report.problem({ at, path, what, ...hint })
  return []
}

function readStepMap(node: YamlMap, slot: Slot, scope: Scope, splice: Splice): StepSpec[] {
  const { at, path } = slot
  reportFaults(slot, scope)
  const [first, second] = node.entries
  if (!first) {
    scope.report.problem({ at, path, what: 'a step without a name' })
    return []
  }
  const [kind, entry] = first
  if (second) {
    const outdented = isNothing(entry.node)
    scope.report.problem({
      at: second[1].keyAt,
      path,
      what: `a step has one key, not ${listed(node.entries.keys())}`,
      ...(outdented ? { hint: `indent what belongs to \`${shown(kind)}\` further than it` } : {}),
    })
    return []
  }
  const row = rowOf(STEP_KEYS, kind)
  // What is wrong with a value stands at the value, what is wrong with the name at the name.
  const isValue = row !== undefined && 'read' in row
  const value = entrySlot(path, kind, entry)
  return readNamed(kind, isValue ? value : { ...value, at: entry.keyAt }, scope, splice)
}

/** @param slot what the step was given; nothing when it was only named. */
function readNamed(name: string, slot: Slot, scope: Scope, splice: Splice): StepSpec[] {
  const row = rowOf(STEP_KEYS, name)
  if (row && 'read' in row) {
    const step = row.read(slot, scope)
    return step ? [step] : []
  }
  const command = row ? undefined : scope.commands.get(name)
  if (command) return callCommand({ name, command, slot }, scope, splice)
  refuseStep(slot, name, scope)
  return []
}

interface Call {
  name: string
  command: YamlEntry
  slot: Slot
}

/** The steps of a command in the place of its call, with their own names. */
function callCommand(
  { name, command, slot: { node, at, path } }: Call,
  scope: Scope,
  { calls, met }: Splice,
): StepSpec[] {
  const refuse = (what: string, hint: string): StepSpec[] => {
    scope.report.problem({ at, path, what, hint })
    return []
  }
  const owner = `the command \`${shown(name)}\``
  if (calls.includes(name)) {
    const loop = [...calls.slice(calls.indexOf(name)), name].map((each) => `\`${shown(each)}\``)
    return refuse(`${owner} calls itself: ${loop.join(' -> ')}`, 'remove one of these calls')
  }
  if (calls.length >= CALLS_DEPTH_MAX) {
    return refuse(`commands call each other more than ${CALLS_DEPTH_MAX} deep`, 'join some of them')
  }
  if (hasParameters(command.node)) {
    return refuse(`not supported yet: ${owner} has parameters`, 'write its steps into the job')
  }
  if (!isNothing(node) && (node.kind !== 'map' || node.entries.size > 0)) {
    return refuse(`${owner} has no parameters`, 'remove what it is given')
  }
  const own = { ...entrySlot('commands', name, command), at: command.keyAt }
  const { steps } = readMap(own, COMMAND_KEYS, scope) ?? {}
  return steps ? readList(steps, scope, { calls: [...calls, name], met }) : []
}

/** Says of a step that is none of ours what it is: a step not supported yet, one of an orb, a slip. */
function refuseStep(slot: Slot, name: string, scope: Scope): void {
  const { node, at, path } = slot
  const orb = name.split('/', 1)[0] ?? ''
  if (rowOf(STEP_KEYS, name) || (scope.hasExpressions && name.includes('<<'))) {
    refuseKey(slot, name, STEP_KEYS, scope)
  } else if (name.includes('/') && scope.orbs.has(orb)) {
    const what = `not supported yet: \`${shown(name)}\`, a command of the orb \`${shown(orb)}\``
    scope.report.problem({ at, path, what, hint: 'write its steps into the job' })
  } else {
    const near = suggest(name, [...Object.keys(STEP_KEYS), ...scope.commands.keys()])
    const isSwapped = node.kind === 'scalar' && rowOf(STEP_KEYS, node.text) !== undefined
    const alone = isSwapped ? `write \`- ${node.text}\`` : 'write a command as `run: ...`'
    const hint = near === null || isSwapped ? alone : `did you mean \`${near}\`?`
    scope.report.problem({ at, path, what: `unknown step \`${shown(name)}\``, hint })
  }
}
