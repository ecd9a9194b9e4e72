/** From rows to what the API shows. Pure. */
import {
  REASONS,
  isResult,
  type AttemptView,
  type BuildSummary,
  type BuildView,
  type NoticeView,
  type Result,
  type SliceView,
  type StepSpec,
  type StepState,
  type StepView,
} from '../model/index.ts'
import type {
  BuildRow,
  BuildTexts,
  EarlierAttemptRow,
  NoticeRow,
  SliceRow,
  StepRow,
} from './store/index.ts'

export interface BuildParts {
  build: BuildRow
  texts: BuildTexts
  slices: readonly SliceRow[]
  /** Of every slice and epoch. */
  steps: readonly StepRow[]
  /** Oldest first. */
  earlier: readonly EarlierAttemptRow[]
  /** Oldest first. */
  notices: readonly NoticeRow[]
  /** Bytes held of a step whose output is not known to be complete. */
  have: (step: StepRow) => number
  /** Why a live slice waits. */
  hint: (slice: SliceRow) => string
}

export function toBuildView(parts: BuildParts): BuildView {
  const { build, texts, slices } = parts
  const indexOf = (row: { slice_index: number }) => row.slice_index
  const steps = Map.groupBy(parts.steps, indexOf)
  const earlier = Map.groupBy(parts.earlier, indexOf)
  const notices = Map.groupBy(parts.notices, indexOf)
  return {
    ...toBuildSummary(build),
    warnings: texts.warnings,
    slices: slices.map((slice) => {
      const index = slice.slice_index
      const own = { steps: steps.get(index) ?? [], earlier: earlier.get(index) ?? [] }
      return toSliceView(slice, { ...own, notices: notices.get(index) ?? [] }, parts)
    }),
  }
}

export function toBuildSummary(build: BuildRow): BuildSummary {
  const { id, number, org, repo, branch, sha, job, parallelism, resource_class } = build
  const { state, reason, rerun_of } = build
  return {
    id,
    number,
    org,
    repo,
    branch,
    sha,
    job,
    parallelism,
    resource_class,
    state,
    reason,
    created_at: toTime(build.created_ms),
    started_at: toTime(build.started_ms),
    finished_at: toTime(build.finished_ms),
    // Waiting included: it is what the person who asked for the build had to wait.
    seconds: toSeconds(build.created_ms, build.finished_ms),
    rerun_of,
  }
}

/** Of one slice, of all its epochs. */
type OwnRows = Pick<BuildParts, 'steps' | 'earlier' | 'notices'>

function toSliceView(slice: SliceRow, own: OwnRows, parts: BuildParts): SliceView {
  const result = isResult(slice.state) ? slice.state : null
  return {
    index: slice.slice_index,
    epoch: slice.epoch,
    nomad_job_id: slice.nomad_job_id,
    allocation_id: slice.allocation_id,
    node_name: slice.node_name,
    state: slice.state,
    reason: slice.reason,
    detail: result === null ? parts.hint(slice) : slice.detail,
    seconds: toSeconds(slice.started_ms, slice.finished_ms),
    steps: toStepViews(own.steps, { epoch: slice.epoch, result }, parts),
    earlier_attempts: own.earlier.map((attempt) => toAttemptView(attempt, own.steps, parts)),
    notices: own.notices.map(toNoticeView),
  }
}

function toAttemptView(
  attempt: EarlierAttemptRow,
  steps: readonly StepRow[],
  parts: BuildParts,
): AttemptView {
  const { epoch, nomad_job_id, allocation_id, node_name, reason, detail } = attempt
  return {
    epoch,
    nomad_job_id,
    allocation_id,
    node_name,
    reason,
    detail,
    started_at: toTime(attempt.started_ms),
    finished_at: toTime(attempt.finished_ms),
    seconds: toSeconds(attempt.started_ms, attempt.finished_ms),
    steps: toStepViews(steps, { epoch, result: REASONS[reason].result }, parts),
  }
}

function toNoticeView({ at_ms, epoch, step_index, text }: NoticeRow): NoticeView {
  return { at: toTime(at_ms), epoch, step: step_index, text }
}

function toStepViews(
  steps: readonly StepRow[],
  { epoch, result }: { epoch: number; result: Result | null },
  parts: BuildParts,
): StepView[] {
  const own = steps.filter((step) => step.epoch === epoch)
  // The last attempt of a step is the one that counts; rows come in the order of the attempts.
  const byIndex = new Map(own.map((step) => [step.step_index, step]))
  return parts.texts.spec.steps.map((spec, index) => {
    const row = byIndex.get(index)
    return row ? toStepView(spec, row, result, parts) : toUnseenStep(spec, index, result)
  })
}

function toStepView(
  spec: StepSpec,
  row: StepRow,
  result: Result | null,
  parts: BuildParts,
): StepView {
  const state = settle(row.state, result)
  const isOver = state !== 'running' && state !== 'skipped'
  const lastedMs = isOver ? row.duration_ms : null
  return {
    index: row.step_index,
    name: spec.name,
    background: isBackground(spec),
    state,
    exit_code: row.exit_code,
    signal: row.signal,
    reason: row.reason,
    seconds: lastedMs === null ? null : lastedMs / 1000,
    output: { length: row.output_length, have: parts.have(row) },
  }
}

function toUnseenStep(spec: StepSpec, index: number, result: Result | null): StepView {
  return {
    index,
    name: spec.name,
    background: isBackground(spec),
    state: settle('waiting', result),
    exit_code: null,
    signal: null,
    reason: null,
    seconds: null,
    output: { length: null, have: 0 },
  }
}

function isBackground(spec: StepSpec): boolean {
  return spec.kind === 'service' || (spec.kind === 'run' && spec.background)
}

/** A slice that is over has no step that waits or runs, also when its agent was lost in the middle. */
function settle(state: StepState, result: Result | null): StepState {
  if (result === null) return state
  if (state === 'waiting') return 'skipped'
  if (state === 'running') return result === 'timed_out' ? 'timed_out' : 'canceled'
  return state
}

function toTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

function toSeconds(fromMs: number | null, toMs: number | null): number | null {
  // A wall clock may have been set back in between.
  return fromMs === null || toMs === null ? null : Math.max(0, toMs - fromMs) / 1000
}
