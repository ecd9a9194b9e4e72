/** What is due for a slice because time has passed. Pure; all times are durations, monotonic. */
import { formatDuration, isResult, type Reason, type Settings } from '../model/index.ts'
import type { SliceRow } from './store/index.ts'

export interface SliceTimes {
  /** In its present state. */
  stateMs: number
  /** Since it was placed; null when it is not. */
  placedMs: number | null
  /** Since the agent was asked to stop; null when it was not. */
  cancelMs: number | null
  /** Since the agent accepted; null when it has not. */
  runningMs: number | null
  /** Since the agent was heard of last. */
  silentMs: number
}

export interface Due {
  end?: { reason: Reason; detail: string }
  /** Ask the agent to stop. */
  ask?: Reason
  /** Let Nomad stop the job. */
  stopJob?: true
  /** Take the agent's report as it is, with the output that is here. */
  deliver?: true
  /** Tell people that the agent is silent. */
  suspect?: string
}

/** TERM, ten seconds' grace, KILL, and a last flush: what an agent needs to stop in good order. */
const CANCEL_GRACE_MS = 30_000

/** On top of it, the kill timeout of the Nomad task and its client's way of telling us. */
const CANCEL_FORCE_MS = CANCEL_GRACE_MS + 60_000

/** The agent enforces the limit; this is for one that does not. Nomad's own guard comes later still. */
const RUN_MARGIN_MS = 60_000

/** An agent that reported needs a moment to end; a job that is still there later has lost it. */
const LINGER_MS = 60_000

/** The agent gives up after its orphan limit; only then can nothing of it be left. */
const ORPHAN_MARGIN_MS = 60_000

export function findDue(
  slice: Pick<SliceRow, 'state' | 'job_open' | 'allocation_id' | 'cancel_reason'>,
  times: SliceTimes,
  limits: Pick<Settings['limits'], 'start' | 'lease' | 'orphan' | 'max_run_time'>,
  reported: boolean,
): Due {
  if (isResult(slice.state)) return afterResult(slice, times, reported)
  switch (slice.state) {
    case 'placing':
    case 'starting':
      return beforeAccept(slice, times, limits)
    case 'running':
      return whileRunning(slice, times, limits)
    case 'finishing':
      // Silent with output still missing: what it did not send by now is not coming.
      return times.silentMs > limits.lease ? { deliver: true } : {}
    default:
      return {}
  }
}

function afterResult(slice: Pick<SliceRow, 'job_open'>, times: SliceTimes, reported: boolean): Due {
  if (!slice.job_open) return {}
  return !reported || times.stateMs > LINGER_MS ? { stopJob: true } : {}
}

function beforeAccept(
  slice: Pick<SliceRow, 'state' | 'allocation_id'>,
  times: SliceTimes,
  limits: Pick<Settings['limits'], 'start'>,
): Due {
  // Counted from the placement: a fleet that is still growing is no reason to give up.
  const waitedMs = slice.state === 'starting' ? times.stateMs : times.placedMs
  if (waitedMs === null || waitedMs <= limits.start) return {}
  const what = slice.state === 'starting' ? 'the agent claimed the slice but' : 'the agent'
  const within = formatDuration(limits.start)
  const detail = `${what} did not start work within ${within} in allocation ${slice.allocation_id}`
  return { end: { reason: 'start_timeout', detail } }
}

function whileRunning(
  slice: Pick<SliceRow, 'cancel_reason'>,
  times: SliceTimes,
  limits: Pick<Settings['limits'], 'lease' | 'orphan' | 'max_run_time'>,
): Due {
  const { cancelMs, silentMs, runningMs } = times
  if (slice.cancel_reason !== null && cancelMs !== null) {
    if (cancelMs > CANCEL_FORCE_MS) {
      return { end: { reason: slice.cancel_reason, detail: 'the agent did not confirm' } }
    }
    if (cancelMs > CANCEL_GRACE_MS) return { stopJob: true }
  } else if (runningMs !== null && runningMs > limits.max_run_time + RUN_MARGIN_MS) {
    return { ask: 'max_run_time' }
  }
  if (silentMs > limits.orphan + ORPHAN_MARGIN_MS) {
    const detail = `the agent was not heard of for ${formatDuration(silentMs)}`
    return { end: { reason: 'agent_lost', detail } }
  }
  if (silentMs <= limits.lease) return {}
  return { suspect: `the agent has been silent for longer than ${formatDuration(limits.lease)}` }
}
