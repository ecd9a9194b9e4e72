/** The steps of a job: which kinds there are, and the keys of each. */
import { stepWhen, suggest } from '../../model/index.ts'
import type { CheckoutStep, RunStep, StepSpec } from '../../model/index.ts'
import { readEnvironment } from './environment.ts'
import { listed, shown } from './report.ts'
import { describe, entrySlot, keyPath } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'
import { readMap, refuseKey, reportFaults, rowOf } from './table.ts'
import type { Values } from './table.ts'
import {
  readBoolean,
  readDuration,
  readFilledText,
  readOneOf,
  readPath,
  readText,
} from './values.ts'
import { EMPTY, isNothing } from './yaml-tree.ts'
import type { YamlMap } from './yaml-tree.ts'

/** Jobs of people have some 30 at most; aliases could repeat one without end. */
export const STEPS_MAX = 1000

export const RUN_KEYS = {
  command: { read: readFilledText, required: 'a `run` step needs a `command`' },
  name: { read: readText },
  shell: { read: readFilledText },
  environment: { read: readEnvironment },
  working_directory: { read: readPath },
  when: { read: readOneOf(stepWhen.options) },
  no_output_timeout: { read: readDuration },
  background: { read: readBoolean },
  max_auto_reruns: { notYet: 'repeat the command in a loop of the shell' },
  auto_rerun_delay: { notYet: '' },
} as const

export const CHECKOUT_KEYS = {
  name: { read: readText },
  path: { read: readPath },
  method: { notYet: 'remove it, the whole commit is always there' },
} as const

const readRun: Reader<RunStep> = (slot, scope) => {
  const { node } = slot
  if (isNothing(node)) {
    scope.report.problem({ at: slot.at, path: slot.path, what: RUN_KEYS.command.required })
    return undefined
  }
  if (node.kind === 'scalar') {
    const command = readFilledText(slot, scope)
    return command === undefined ? undefined : toRunStep({ command }, scope)
  }
  if (node.kind === 'map') {
    const { command, ...rest } = readMap(slot, RUN_KEYS, scope) ?? {}
    return command === undefined ? undefined : toRunStep({ command, ...rest }, scope)
  }
  const what = `a \`run\` step is a command or a map, not ${describe(node)}`
  scope.report.problem({ at: slot.at, path: slot.path, what })
  return undefined
}

const readCheckout: Reader<CheckoutStep> = (slot, scope) => {
  const values = isNothing(slot.node) ? {} : readMap(slot, CHECKOUT_KEYS, scope)
  if (!values) return undefined
  const { path } = values
  return {
    kind: 'checkout',
    name: values.name || 'Checkout code',
    ...(path === undefined ? {} : { path }),
  }
}

export const STEP_KEYS = {
  run: { read: readRun },
  checkout: { read: readCheckout },
  save_cache: { notYet: 'remove it, every run starts without caches' },
  restore_cache: { notYet: 'remove it, every run starts without caches' },
  store_artifacts: { notYet: 'print what matters, or upload it with a `run` step' },
  store_test_results: { notYet: 'the output of the step tells which tests failed' },
  persist_to_workspace: { notYet: 'a job is run alone' },
  attach_workspace: { notYet: 'a job is run alone: make its input in a `run` step' },
  setup_remote_docker: { notYet: 'with `machine`, the Docker of the client is at hand' },
  add_ssh_keys: { notYet: '' },
  deploy: { notYet: 'write `run` instead' },
  steps: { notYet: 'write the steps themselves into the list' },
  when: { notYet: 'write the condition in the shell of a `run` step' },
  unless: { notYet: 'write the condition in the shell of a `run` step' },
} as const

/** The list under `steps`. A step that cannot be used is left out. */
export const readSteps: Reader<StepSpec[]> = (slot, scope) => {
  const { node, at, path } = slot
  const { report } = scope
  if (node.kind !== 'list') {
    report.problem({ at, path, what: `not a list of steps but ${describe(node)}` })
    return undefined
  }
  if (node.items.length === 0) report.problem({ at, path, what: 'a job needs at least one step' })
  if (node.items.length > STEPS_MAX) {
    const what = `${node.items.length} steps: a job has at most ${STEPS_MAX}`
    report.problem({ at, path, what })
    return undefined
  }
  const steps: StepSpec[] = []
  for (const [index, item] of node.items.entries()) {
    if (report.full) break
    const step = readStep({ ...item, path: `${path}[${index}]` }, scope)
    if (step) steps.push(step)
  }
  return steps
}

const readStep: Reader<StepSpec> = (slot, scope) => {
  const { node, at, path } = slot
  if (node.kind === 'map') return readStepMap(node, slot, scope)
  if (node.kind === 'scalar' && !isNothing(node)) {
    const row = rowOf(STEP_KEYS, node.text)
    const place = { node: EMPTY, at, path }
    if (row && 'read' in row) return row.read(place, scope)
    refuseStep(place, node.text, scope)
    return undefined
  }
  const what = `a step is a name or a map, not ${describe(node)}`
  const hint = node.kind === 'list' ? { hint: 'a list inside `steps` is not joined to it' } : {}
  scope.report.problem({ at, path, what, ...hint })
  return undefined
}

function readStepMap(node: YamlMap, slot: Slot, scope: Scope): StepSpec | undefined {
  const { at, path } = slot
  reportFaults(slot, scope)
  const [first, second] = node.entries
  if (!first) {
    scope.report.problem({ at, path, what: 'a step without a name' })
    return undefined
  }
  if (second) {
    const [kind, { node: value }] = first
    const outdented = isNothing(value) && rowOf(STEP_KEYS, kind) !== undefined
    scope.report.problem({
      at: second[1].keyAt,
      path,
      what: `a step has one key, not ${listed(node.entries.keys())}`,
      ...(outdented ? { hint: `indent what belongs to \`${kind}\` further than \`${kind}\`` } : {}),
    })
    return undefined
  }
  const [kind, entry] = first
  const row = rowOf(STEP_KEYS, kind)
  if (row && 'read' in row) return row.read(entrySlot(path, kind, entry), scope)
  refuseStep({ node: entry.node, at: entry.keyAt, path: keyPath(path, kind) }, kind, scope)
  return undefined
}

/** Says of a step that is none of ours what it is: a step not supported yet, a command, a slip. */
function refuseStep(slot: Slot, name: string, scope: Scope): void {
  const { at, path } = slot
  const orb = name.split('/', 1)[0] ?? ''
  const isCommand = scope.commands.has(name)
  if (rowOf(STEP_KEYS, name) || (scope.hasExpressions && name.includes('<<'))) {
    refuseKey(slot, name, STEP_KEYS, scope)
  } else if (isCommand || (name.includes('/') && scope.orbs.has(orb))) {
    const owner = isCommand ? 'a command of this file' : `a command of the orb \`${shown(orb)}\``
    const what = `not supported yet: \`${shown(name)}\`, ${owner}`
    scope.report.problem({ at, path, what, hint: 'write its steps into the job' })
  } else {
    const near = suggest(name, [...Object.keys(STEP_KEYS), ...scope.commands.keys()])
    const hint = near === null ? 'write a command as `run: ...`' : `did you mean \`${near}\`?`
    scope.report.problem({ at, path, what: `unknown step \`${shown(name)}\``, hint })
  }
}

type RunValues = Values<typeof RUN_KEYS> & { command: string }

function toRunStep(values: RunValues, scope: Scope): RunStep {
  const { command, shell, working_directory, background = false } = values
  // A background step waits for others to need it, so it may be silent unless it says otherwise.
  const limitMs = values.no_output_timeout ?? (background ? undefined : scope.noOutputMs)
  return {
    kind: 'run',
    name: values.name || command,
    command,
    ...(shell === undefined ? {} : { shell }),
    environment: values.environment ?? {},
    ...(working_directory === undefined ? {} : { working_directory }),
    when: values.when ?? 'on_success',
    ...(limitMs === undefined ? {} : { no_output_timeout_ms: limitMs }),
    background,
  }
}
