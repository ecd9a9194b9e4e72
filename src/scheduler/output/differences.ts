/** What a follower has to be told when a build was seen twice. */
import {
  type BuildView,
  type FollowEvent,
  isResult,
  type SliceView,
  type StepView,
} from '../../model/index.ts'

/**
 * The events that turn `before` into `after`, in an order in which each makes sense: a slice is told to
 * run before its steps do, and to be over after they are. Times that pass and bytes that arrive are no
 * change. The end of the build is left out: whoever tells it has to send the last output first.
 */
export function findDifferences(before: BuildView, after: BuildView): FollowEvent[] {
  const slicesBefore = new Map(before.slices.map((slice) => [slice.index, slice]))
  const events = after.slices.flatMap((slice) =>
    compareSlices(slicesBefore.get(slice.index), slice),
  )
  const isTold = isResult(after.state) || isSame(BUILD_FACTS, before, after)
  return isTold ? events : [...events, { type: 'build', build: after }]
}

/**
 * Agents send the end of a step and its output on different ways, and the end is the shorter message:
 * a step whose last bytes are still on their way is shown as running. Once its slice is over, nothing
 * is on its way any more.
 *
 * @returns the same object when nothing is held back.
 */
export function holdEnds(view: BuildView): BuildView {
  const isEarly = ({ output }: StepView) => output.length !== null && output.have < output.length
  const slices = view.slices.map((slice) => {
    if (isResult(slice.state) || !slice.steps.some(isEarly)) return slice
    return { ...slice, steps: slice.steps.map((step) => (isEarly(step) ? toStarted(step) : step)) }
  })
  return slices.some((slice, index) => slice !== view.slices[index]) ? { ...view, slices } : view
}

const BUILD_FACTS = ['state', 'reason', 'started_at'] as const
const SLICE_FACTS = [
  'epoch',
  'nomad_job_id',
  'allocation_id',
  'node_name',
  'state',
  'reason',
  'detail',
] as const
const STEP_FACTS = ['name', 'state', 'exit_code', 'signal', 'reason'] as const

function compareSlices(before: SliceView | undefined, after: SliceView): FollowEvent[] {
  const steps = compareSteps(before?.steps ?? [], after)
  if (before !== undefined && isSame(SLICE_FACTS, before, after)) return steps
  const { steps: _steps, notices: _notices, ...slice } = after
  const told: FollowEvent = { type: 'slice', slice }
  // A new epoch comes first in any case: the output before it and after it are not the same.
  const isEnd = isResult(after.state) && before?.epoch === after.epoch
  return isEnd ? [...steps, told] : [told, ...steps]
}

function compareSteps(before: readonly StepView[], after: SliceView): FollowEvent[] {
  return after.steps.flatMap((step, position) => {
    const old = before[position]
    const isKnown = old?.index === step.index && old.output.length === step.output.length
    if (isKnown && isSame(STEP_FACTS, old, step)) return []
    const told = hasRunUnseen(old, step) ? [toStarted(step), step] : [step]
    return told.map((each) => ({ type: 'step', slice: after.index, step: each }))
  })
}

/** A quick step starts and ends between two looks: its start is told all the same. */
function hasRunUnseen(before: StepView | undefined, after: StepView): boolean {
  const isUnseen = before === undefined || before.state === 'waiting'
  return isUnseen && after.state !== 'running' && after.seconds !== null
}

function toStarted(step: StepView): StepView {
  const open = { exit_code: null, signal: null, reason: null, seconds: null }
  return { ...step, state: 'running', ...open, output: { ...step.output, length: null } }
}

function isSame<T>(facts: readonly (keyof T)[], before: T, after: T): boolean {
  return facts.every((fact) => before[fact] === after[fact])
}
