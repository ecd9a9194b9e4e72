/**
 * Registers one slice with Nomad, exactly once.
 *
 * The intent is stored before the request goes out, under a job id that is fixed for the epoch, and the
 * job is created only if there is none. So whatever is unknown afterwards (an answer that was lost, our
 * own death in between) is settled by reading the job back: it is ours, somebody else's, or not there.
 */
import { CaravanError, isCaravanError, isResult, type SliceKey } from '../model/index.ts'
import { hasFeature, type NomadJob } from '../nomad/index.ts'
import { describeCause, type Log } from '../platform/index.ts'
import { isJobOf, type SliceJob } from './job-builder.ts'
import type { JobStops } from './job-stops.ts'
import { placeOf, type Ledger } from './ledger.ts'
import type { OpenSlice } from './open-slices.ts'
import type { SchedulerNomad } from './ports.ts'
import type { Cluster } from './cluster.ts'
import type { SliceRow } from './store/index.ts'

export interface SubmissionDeps {
  ledger: Ledger
  nomad: Pick<SchedulerNomad, 'registerJob' | 'readJob'>
  cluster: Cluster
  stops: JobStops
  installId: string
  build: (entry: OpenSlice) => Promise<SliceJob>
  call: InTurn
  log: Log
}

/** Makes a call to Nomad when it is its turn: so many at once, and the others wait. */
export type InTurn = <T>(call: () => Promise<T>) => Promise<T>

export type SubmissionOutcome =
  /** Registered, adopted, refused for good, or not wanted any more. */
  | { kind: 'settled' }
  /** No slice, or none of this resource class, can be registered now. The intent stays, and is tried again. */
  | { kind: 'hold'; scope: 'all' | 'class'; reason: string }

/** @throws whatever leaves the outcome open; trying again is safe. */
export async function submitSlice(
  deps: SubmissionDeps,
  key: SliceKey,
  signal: AbortSignal,
): Promise<SubmissionOutcome> {
  const entry = deps.ledger.open.get(key)
  if (entry === undefined || isResult(entry.slice.state)) return { kind: 'settled' }
  try {
    const made = await deps.build(entry)
    const slice = await storeIntent(deps, entry, made)
    if (slice === null) return { kind: 'settled' }
    return await register(deps, slice, made, signal)
  } catch (cause) {
    const hold = toHold(cause)
    if (hold !== null) return hold
    if (isRejection(cause)) return reject(deps, entry.slice, describeCause(cause))
    throw cause
  }
}

/** What trying again can not mend: Nomad refuses this job, or it can not even be made. */
function isRejection(cause: unknown): boolean {
  const codes = ['NOMAD_REJECTED', 'TEMPLATE_INVALID', 'CONFIG_INVALID'] as const
  return codes.some((code) => isCaravanError(cause, code))
}

/** @returns null when the slice is past the point of being submitted. */
async function storeIntent(
  deps: SubmissionDeps,
  { slice }: OpenSlice,
  { specHash }: SliceJob,
): Promise<SliceRow | null> {
  // An intent from before: nobody knows whether its request arrived.
  if (slice.state === 'submitting') return slice
  const fact = { kind: 'submitting' as const, epoch: slice.epoch, specHash }
  return deps.ledger.record(placeOf(slice), fact)
}

async function register(
  deps: SubmissionDeps,
  slice: SliceRow,
  made: SliceJob,
  signal: AbortSignal,
): Promise<SubmissionOutcome> {
  const { nomad, log } = deps
  let modifyIndex: number | null = null
  try {
    const outcome = await deps.call(() => {
      return nomad.registerJob(made.job, { enforceIndex: 0, signal })
    })
    if (outcome.kind === 'registered') {
      modifyIndex = outcome.jobModifyIndex
      if (outcome.warnings !== '') {
        log.warn('Nomad warns of a job', { job: slice.nomad_job_id, warnings: outcome.warnings })
      }
    }
  } catch (cause) {
    if (!isCaravanError(cause, 'NOMAD_UNKNOWN_OUTCOME')) throw cause
    log.warn('a registration has an unknown outcome, reading the job back', {
      job: slice.nomad_job_id,
      cause,
    })
  }
  // Before they were atomic, two creations could both be told that they had won.
  const isSure = modifyIndex !== null && hasFeature(await deps.cluster.version(), 'atomic_create')
  if (isSure && modifyIndex !== null) return settle(deps, slice, modifyIndex)

  const job = await nomad.readJob(slice.nomad_job_id, { signal })
  if (job === null) {
    throw new CaravanError('NOMAD_UNKNOWN_OUTCOME', 'Nomad does not know the job it was just given')
  }
  return adopt(deps, slice, made, job)
}

async function adopt(
  deps: SubmissionDeps,
  slice: SliceRow,
  made: SliceJob,
  job: NomadJob,
): Promise<SubmissionOutcome> {
  // The stored hash is the one that was sent; the template may have changed since.
  const hashes = [made.specHash, ...(slice.spec_hash === null ? [] : [slice.spec_hash])]
  if (!isJobOf(job, slice, deps.installId, hashes)) {
    return reject(deps, slice, 'Nomad has a job of the same id that is not this slice')
  }
  deps.log.info('Nomad job adopted', { job: slice.nomad_job_id })
  return settle(deps, slice, job.JobModifyIndex ?? 0)
}

async function settle(
  deps: SubmissionDeps,
  slice: SliceRow,
  jobModifyIndex: number,
): Promise<SubmissionOutcome> {
  const { epoch } = slice
  await deps.ledger.record(placeOf(slice), { kind: 'registered', epoch, jobModifyIndex })
  const now = deps.ledger.open.ofJob(slice.nomad_job_id)
  // Canceled while the request was under way: a stop from then found no job.
  if (now !== undefined && isResult(now.slice.state)) deps.stops.stopAgain(now)
  return { kind: 'settled' }
}

/** Closed at once: a job of this id, if there is one, is not ours to stop. */
async function reject(
  deps: SubmissionDeps,
  slice: SliceRow,
  detail: string,
): Promise<SubmissionOutcome> {
  const { epoch } = slice
  const place = placeOf(slice)
  await deps.ledger.write(async (entry) => {
    await entry.record(place, { kind: 'ended', epoch, reason: 'cluster_rejected', detail })
    await entry.record(place, { kind: 'job_closed', epoch })
  }, place)
  return { kind: 'settled' }
}

/** What stands in the way of more than one slice, and is no fault of any. A template may name pools by class. */
const HOLDING_PROBLEMS: ReadonlyMap<unknown, 'all' | 'class'> = new Map([
  ['nonexistent_namespace', 'all'],
  ['nonexistent_node_pool', 'class'],
  ['no_such_path', 'all'],
])

function toHold(cause: unknown): SubmissionOutcome | null {
  if (!isCaravanError(cause)) return null
  const isAway = cause.code === 'NOMAD_FORBIDDEN' || cause.code === 'NOMAD_UNREACHABLE'
  const scope = isAway ? 'all' : HOLDING_PROBLEMS.get(cause.detail['problem'])
  return scope === undefined ? null : { kind: 'hold', scope, reason: cause.message }
}
