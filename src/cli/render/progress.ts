/**
 * What is known of a build while it runs: a pure fold over the events that follow it.
 *
 * Every renderer draws from this, so that the live view, the plain view and the JSON lines can not
 * disagree about what happened.
 */
import type { BuildView, FollowEvent, SliceView, StepView } from '../../model/index.ts'

export interface Progress {
  build: BuildView | null
  /** The last bytes of every step's output, by `slice/step`. */
  tails: ReadonlyMap<string, Buffer>
  /** The last ones, oldest first. */
  notices: readonly { slice: number; text: string }[]
}

/** Enough for the last screenful of a failing step; more is a command away. */
const TAIL_BYTES = 16 * 1024

/** What fits under the slices without pushing them off the screen. */
const NOTICES_MAX = 3

export const NO_PROGRESS: Progress = { build: null, tails: new Map(), notices: [] }

export function applyEvent(progress: Progress, event: FollowEvent): Progress {
  switch (event.type) {
    case 'build':
      return { ...progress, build: event.build }
    case 'slice':
      return updateSlice(withoutOldTails(progress, event.slice), event.slice.index, (slice) => ({
        ...slice,
        ...event.slice,
      }))
    case 'step':
      return updateSlice(progress, event.slice, (slice) => ({
        ...slice,
        steps: replaceStep(slice.steps, event.step),
      }))
    case 'output':
      return appendTail(progress, event)
    case 'notice':
      return {
        ...progress,
        notices: [...progress.notices, { slice: event.slice, text: event.text }].slice(
          -NOTICES_MAX,
        ),
      }
  }
}

export function tailOf(progress: Progress, slice: number, step: number): Buffer {
  return progress.tails.get(`${slice}/${step}`) ?? Buffer.alloc(0)
}

/** The step that runs now, or else the last one that began. */
export function currentStep(slice: SliceView): StepView | undefined {
  return (
    slice.steps.find((step) => step.state === 'running') ??
    slice.steps.findLast((step) => step.state !== 'waiting' && step.state !== 'skipped')
  )
}

/** The step that a reader of a failed slice wants to see. */
export function failedStep(slice: SliceView): StepView | undefined {
  return slice.steps.find((step) => step.state === 'failed' || step.state === 'timed_out')
}

/** The output of another attempt starts over. */
function withoutOldTails(
  progress: Progress,
  { index, epoch }: Pick<SliceView, 'index' | 'epoch'>,
): Progress {
  const known = progress.build?.slices.find((slice) => slice.index === index)
  if (known === undefined || known.epoch === epoch) return progress
  const others = [...progress.tails].filter(([key]) => !key.startsWith(`${index}/`))
  return { ...progress, tails: new Map(others) }
}

function updateSlice(
  progress: Progress,
  index: number,
  change: (slice: SliceView) => SliceView,
): Progress {
  if (progress.build === null) return progress
  const slices = progress.build.slices.map((slice) =>
    slice.index === index ? change(slice) : slice,
  )
  return { ...progress, build: { ...progress.build, slices } }
}

function replaceStep(steps: readonly StepView[], step: StepView): StepView[] {
  const others = steps.filter((each) => each.index !== step.index)
  return [...others, step].sort((a, b) => a.index - b.index)
}

function appendTail(progress: Progress, event: Extract<FollowEvent, { type: 'output' }>): Progress {
  const key = `${event.slice}/${event.step}`
  const before = progress.tails.get(key) ?? Buffer.alloc(0)
  const after = Buffer.concat([before, Buffer.from(event.data, 'base64')])
  const tails = new Map(progress.tails)
  tails.set(key, after.subarray(Math.max(0, after.length - TAIL_BYTES)))
  return { ...progress, tails }
}
