/** The steps that Caravan itself knows how to run, and the keys of each. */
import { AUTO_RERUN_DELAY_MAX_MS, AUTO_RERUNS_MAX, stepWhen } from '../../model/index.ts'
import type { CheckoutStep, RunStep } from '../../model/index.ts'
import { readEnvironment } from './environment.ts'
import { describe } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'
import { readMap } from './table.ts'
import type { Values } from './table.ts'
import {
  NO_OUTPUT_MAX_MS,
  readBoolean,
  readDuration,
  readFilledText,
  readOneOf,
  readPath,
  readShell,
  readText,
  readWholeNumber,
} from './values.ts'
import { isNothing } from './yaml-tree.ts'

export const RUN_KEYS = {
  command: { read: readFilledText, required: 'a `run` step needs a `command`' },
  name: { read: readText },
  shell: { read: readShell },
  environment: { read: readEnvironment },
  working_directory: { read: readPath },
  when: { read: readOneOf(stepWhen.options) },
  no_output_timeout: { read: readDuration(NO_OUTPUT_MAX_MS) },
  background: { read: readBoolean },
  max_auto_reruns: { read: readWholeNumber(1, AUTO_RERUNS_MAX) },
  auto_rerun_delay: { read: readDuration(AUTO_RERUN_DELAY_MAX_MS) },
  attempts: { notYet: 'write `max_auto_reruns`' },
} as const

export const CHECKOUT_KEYS = {
  name: { read: readText },
  path: { read: readPath },
  method: { notYet: 'remove it, the whole commit is always there' },
} as const

/** A command, or a map. */
export const readRun: Reader<RunStep> = (slot, scope) => {
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
    if (command === undefined) return undefined
    checkTogether(rest, slot, scope)
    return toRunStep({ command, ...rest }, scope)
  }
  const what = `a \`run\` step is a command or a map, not ${describe(node)}`
  scope.report.problem({ at: slot.at, path: slot.path, what })
  return undefined
}

export const readCheckout: Reader<CheckoutStep> = (slot, scope) => {
  const values = isNothing(slot.node) ? {} : readMap(slot, CHECKOUT_KEYS, scope)
  if (!values) return undefined
  const { path } = values
  return {
    kind: 'checkout',
    name: values.name || 'Checkout code',
    ...(path === undefined ? {} : { path }),
  }
}

type RunValues = Values<typeof RUN_KEYS>

/** Keys that make no sense beside each other. */
function checkTogether(values: RunValues, { at, path }: Slot, { report }: Scope): void {
  const { auto_rerun_delay, max_auto_reruns, background, when } = values
  if (auto_rerun_delay !== undefined && max_auto_reruns === undefined) {
    const what = '`auto_rerun_delay` does nothing without `max_auto_reruns`'
    report.problem({ at, path, what, hint: 'add `max_auto_reruns: 1`, or remove it' })
  }
  if (background === true && max_auto_reruns !== undefined) {
    const what = 'a step in the background is not run again'
    report.problem({ at, path, what, hint: 'remove `background` or `max_auto_reruns`' })
  }
  if (background === true && when === 'on_cancel') {
    const what = 'a step that runs when the job is canceled cannot be in the background'
    report.problem({ at, path, what, hint: 'remove `background`' })
  }
}

function toRunStep(values: RunValues & { command: string }, scope: Scope): RunStep {
  const { command, shell, working_directory, background = false } = values
  const { max_auto_reruns, auto_rerun_delay } = values
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
    ...(max_auto_reruns === undefined ? {} : { max_auto_reruns }),
    ...(auto_rerun_delay === undefined ? {} : { auto_rerun_delay_ms: auto_rerun_delay }),
  }
}
