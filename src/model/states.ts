/**
 * The states of builds, slices and steps: one table each, used by store, API, CLI and metrics alike.
 *
 * A slice waits for its organisation's concurrency (`waiting_usage`), then for cluster capacity
 * (`waiting_run`). `submitting` means that the intent to register its Nomad job is stored and that the
 * job may or may not exist. `placing`: Nomad has the job, no allocation runs yet. `starting`: an agent
 * has claimed it. `running`: the agent accepted, user commands may run. `finishing`: the steps are over
 * and the last output is on its way. Then a result, which never changes again.
 */

export const RESULTS = [
  'succeeded',
  'failed',
  'timed_out',
  'canceled',
  'infrastructure_failed',
] as const
export type Result = (typeof RESULTS)[number]

export const BUILD_STATES = ['queued', 'running', ...RESULTS] as const
export type BuildState = (typeof BUILD_STATES)[number]

export const LIVE_SLICE_STATES = [
  'waiting_usage',
  'waiting_run',
  'submitting',
  'placing',
  'starting',
  'running',
  'finishing',
] as const

export const SLICE_STATES = [...LIVE_SLICE_STATES, ...RESULTS] as const
export type SliceState = (typeof SLICE_STATES)[number]

export const STEP_STATES = [
  'waiting',
  'running',
  'succeeded',
  'failed',
  'timed_out',
  'canceled',
  'skipped',
] as const
export type StepState = (typeof STEP_STATES)[number]

const RESULT_SET: ReadonlySet<string> = new Set(RESULTS)

export function isResult(state: string): state is Result {
  return RESULT_SET.has(state)
}

/**
 * Which slice states may follow which. Every live state may end in any result, because a node can be
 * lost and a person can cancel at any time; going back to `waiting_run` is a new epoch after an
 * infrastructure failure.
 */
export const SLICE_TRANSITIONS: Readonly<Record<SliceState, readonly SliceState[]>> = {
  waiting_usage: ['waiting_run', ...RESULTS],
  waiting_run: ['submitting', ...RESULTS],
  submitting: ['placing', 'starting', 'running', 'waiting_run', ...RESULTS],
  placing: ['starting', 'running', 'waiting_run', ...RESULTS],
  starting: ['running', 'finishing', 'waiting_run', ...RESULTS],
  running: ['finishing', 'waiting_run', ...RESULTS],
  finishing: ['waiting_run', ...RESULTS],
  succeeded: [],
  failed: [],
  timed_out: [],
  canceled: [],
  infrastructure_failed: [],
}

export function canFollow(from: SliceState, to: SliceState): boolean {
  return SLICE_TRANSITIONS[from].includes(to)
}

/** Worst first: a build's result is the first of these that any of its slices has. */
const RESULT_ORDER: readonly Result[] = [
  'infrastructure_failed',
  'failed',
  'timed_out',
  'canceled',
  'succeeded',
]

/** The state of a build whose slices are in these states. */
export function toBuildState(slices: readonly SliceState[]): BuildState {
  if (slices.length > 0 && slices.every(isResult)) {
    return RESULT_ORDER.find((result) => slices.includes(result)) ?? 'succeeded'
  }
  const waiting = slices.every((state) => state === 'waiting_usage' || state === 'waiting_run')
  return waiting ? 'queued' : 'running'
}
