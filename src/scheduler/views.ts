/** From rows to what the API shows. Pure. */
import {
  isResult,
  type BuildSummary,
  type BuildView,
  type Result,
  type SliceView,
  type StepSpec,
  type StepState,
  type StepView,
} from '../model/index.ts'
import type { BuildRow, BuildTexts, SliceRow, StepRow } from './store/index.ts'

export interface BuildParts {
  build: BuildRow
  texts: BuildTexts
  slices: readonly SliceRow[]
  /** Of every slice and epoch. */
  steps: readonly StepRow[]
  /** Bytes held of a step whose output is not known to be complete. */
  have: (step: StepRow) => number
  /** Why a live slice waits. */
  hint: (slice: SliceRow) => string
}

export function toBuildView(parts: BuildParts): BuildView {
  const { build, texts, slices, steps } = parts
  const bySlice = Map.groupBy(steps, (step) => step.slice_index)
  return {
    ...toBuildSummary(build),
    warnings: texts.warnings,
    slices: slices.map((slice) => {
      const own = (bySlice.get(slice.slice_index) ?? []).filter(
        (step) => step.epoch === slice.epoch,
      )
      return toSliceView(slice, own, parts)
    }),
  }
}

export function toBuildSummary(build: BuildRow): BuildSummary {
  const { id, number, org, repo, branch, sha, job, parallelism, resource_class, state, reason } =
    build
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
  }
}

function toSliceView(slice: SliceRow, steps: readonly StepRow[], parts: BuildParts): SliceView {
  // The last attempt of a step is the one that counts; rows come in the order of the attempts.
  const byIndex = new Map(steps.map((step) => [step.step_index, step]))
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
    steps: parts.texts.spec.steps.map((spec, index) => {
      const row = byIndex.get(index)
      return row ? toStepView(spec, row, result, parts) : toUnseenStep(spec, index, result)
    }),
  }
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
