/**
 * Stops the Nomad jobs of attempts that another attempt has followed, until none of them runs any more.
 *
 * Whatever still runs of them runs in vain, and Nomad itself might start them once more. Which ones there
 * are is read from the rows each time, so that a restart forgets none.
 */
import PQueue from 'p-queue'
import { deadline, type Clock, type Log, type RandomSource } from '../platform/index.ts'
import { UNKNOWN_REQUEST_MS } from './inspection.ts'
import { readJobsSeen, type JobSeen } from './job-statuses.ts'
import { placeOf, type Ledger } from './ledger.ts'
import { startLoop, type Loop } from './loop.ts'
import type { SchedulerNomad } from './ports.ts'
import {
  closeEarlierAttempt,
  readOpenEarlierAttempts,
  type EarlierAttemptRow,
} from './store/index.ts'

export interface OldJobsDeps {
  ledger: Ledger
  nomad: SchedulerNomad
  clock: Clock
  random: RandomSource
  log: Log
}

/** Far more than a cluster loses at once; those that are closed make room for the others. */
const READ_MAX = 10_000

/** As few as stops of other jobs: the leader has to place new ones too. */
const CONCURRENCY = 8
const REQUEST_MAX_MS = 15_000

/** An agent that is stopped has its kill timeout; one on a lost node may stay for hours. */
const REST_MS = 5000
const IDLE_REST_MS = 60_000

export function startOldJobs(deps: OldJobsDeps): Loop {
  const { clock, random, log } = deps
  return startLoop({
    name: 'stopping old jobs',
    turn: (signal) => turn(deps, signal),
    clock,
    random,
    log,
  })
}

async function turn(deps: OldJobsDeps, signal: AbortSignal): Promise<number> {
  const { ledger, nomad } = deps
  const attempts = await readOpenEarlierAttempts(ledger.read, READ_MAX)
  if (attempts.length === 0) return IDLE_REST_MS
  const ids = attempts.map((attempt) => attempt.nomad_job_id)
  const seen = await readJobsSeen(nomad, ids, signal)
  const queue = new PQueue({ concurrency: CONCURRENCY })
  const works = attempts.map((attempt) => async () => {
    const job = seen.get(attempt.nomad_job_id)
    if (isGone(attempt, job, deps.clock.now())) await close(deps, attempt)
    else if (job !== undefined && !job.stop) await stop(deps, attempt, signal)
  })
  await queue.addAll(works)
  return REST_MS
}

/** A job that is dead but was not stopped could be started again. */
function isGone(attempt: EarlierAttemptRow, job: JobSeen | undefined, nowMs: number): boolean {
  if (job !== undefined) return job.stop && job.dead && job.allocations.every((a) => a.isTerminal)
  return attempt.job_modify_index !== null || nowMs - attempt.finished_ms > UNKNOWN_REQUEST_MS
}

async function close({ ledger }: OldJobsDeps, attempt: EarlierAttemptRow): Promise<void> {
  const place = { ...placeOf(attempt), epoch: attempt.epoch }
  await ledger.write((entry) => closeEarlierAttempt(entry.writer, place), place)
}

async function stop(
  { nomad, clock, log }: OldJobsDeps,
  attempt: EarlierAttemptRow,
  signal: AbortSignal,
): Promise<void> {
  const limit = deadline(clock, REQUEST_MAX_MS, signal)
  try {
    await nomad.deregisterJob(attempt.nomad_job_id, { signal: limit.signal })
    log.info('Nomad job of an earlier attempt stopped', { job: attempt.nomad_job_id })
  } finally {
    limit.cancel()
  }
}
