/** Compares slices with what Nomad shows of their jobs, and records what follows. */
import PQueue from 'p-queue'
import { isResult, type Reason, type Settings } from '../model/index.ts'
import type { NomadAllocation } from '../nomad/index.ts'
import type { Clock, Log } from '../platform/index.ts'
import type { Delivery } from './agents/index.ts'
import { classify, isTerminal } from './classify.ts'
import type { Cluster } from './cluster.ts'
import { createEvaluationKicks, type EvaluationKicks } from './evaluation-kicks.ts'
import { explainEvaluations, isGivenUp } from './explain.ts'
import type { Hints } from './hints.ts'
import { readJobsSeen, type JobSeen } from './job-statuses.ts'
import type { Leases } from './leases.ts'
import { placeOf, type Ledger } from './ledger.ts'
import type { OpenSlice } from './open-slices.ts'
import type { SchedulerNomad } from './ports.ts'
import { readAttempt } from './store/index.ts'

export interface InspectionDeps {
  ledger: Ledger
  nomad: SchedulerNomad
  cluster: Cluster
  hints: Hints
  leases: Leases
  delivery: Delivery
  limits: Pick<Settings['limits'], 'lease'>
  clock: Clock
  log: Log
}

export interface Inspection {
  /** @param wasStopped whether the job was seen to be stopped. */
  reconcile(
    entries: readonly OpenSlice[],
    wasStopped: (entry: OpenSlice) => boolean,
    signal: AbortSignal,
  ): Promise<void>
  /** What an event told. @returns true when the whole picture is needed to know what it means. */
  observe(entry: OpenSlice, allocation: NomadAllocation): Promise<boolean>
}

/** Jobs read in full at the same time. */
const CONCURRENCY = 16

type Tools = InspectionDeps & { kicks: EvaluationKicks }

export function createInspection(given: InspectionDeps): Inspection {
  const deps: Tools = { ...given, kicks: createEvaluationKicks(given) }
  const { ledger, nomad } = deps
  return {
    async reconcile(entries, wasStopped, signal) {
      // Their registration may be under way: whether there is a job yet is the submitter's to find out.
      const known = entries.filter(({ slice }) => slice.state !== 'submitting')
      const ids = known.map(({ slice }) => slice.nomad_job_id)
      const seen = await readJobsSeen(nomad, ids, signal)
      const queue = new PQueue({ concurrency: CONCURRENCY })
      const looks = known.map((entry) => async () => {
        const job = seen.get(entry.slice.nomad_job_id)
        if (isResult(entry.slice.state)) await closeWhenGone(deps, entry, job)
        else if (isNotable(entry, job)) {
          await inspect(deps, { entry, job, wasStopped: wasStopped(entry), signal })
        }
      })
      await queue.addAll(looks)
    },

    async observe(entry, allocation) {
      const { slice } = entry
      if (isResult(slice.state)) return isTerminal(allocation)
      if (slice.allocation_id === null) await recordPlaced(ledger, entry, allocation)
      else if (slice.allocation_id !== allocation.ID) {
        deps.log.warn('Nomad made a second allocation; its agent will be refused', {
          slice: entry.key,
          allocation: allocation.ID,
        })
        return false
      }
      if (isTerminal(allocation)) return true
      const verdict = classify({ ...NOTHING_SEEN, allocation })
      deps.hints.set(entry.key, 'nomad', verdict.kind === 'live' ? verdict.hint : null)
      return false
    },
  }
}

const NOTHING_SEEN = { job: null, node: null, report: null, cancelReason: null, agentHeard: false }

/** Whether a list shows anything that a healthy slice in this state does not. */
function isNotable({ slice }: OpenSlice, job: JobSeen | undefined): boolean {
  if (job === undefined || job.stop || job.dead) return true
  const own = job.allocations.find((each) => each.id === slice.allocation_id)
  return own === undefined || own.isTerminal || own.isUnknown
}

/** A request whose answer never came has been carried out by then, or never will be. */
export const UNKNOWN_REQUEST_MS = 60_000

/** @returns how long a job that nobody knows to exist may still come to be, after its slice is over. */
export function closesInMs({ finished_ms: endMs }: OpenSlice['slice'], nowMs: number): number {
  return (endMs ?? 0) + UNKNOWN_REQUEST_MS - nowMs
}

async function closeWhenGone(
  { ledger, clock }: InspectionDeps,
  { slice }: OpenSlice,
  job: JobSeen | undefined,
): Promise<void> {
  const wasRegistered = slice.job_modify_index !== null
  const isGone =
    job === undefined
      ? wasRegistered || closesInMs(slice, clock.now()) <= 0
      : job.dead && job.allocations.every((each) => each.isTerminal)
  if (!isGone) return
  await ledger.record(placeOf(slice), { kind: 'job_closed', epoch: slice.epoch })
}

interface Look {
  entry: OpenSlice
  job: JobSeen | undefined
  wasStopped: boolean
  signal: AbortSignal
}

async function inspect(deps: Tools, look: Look): Promise<void> {
  const { key, slice } = look.entry
  const { job, signal } = look
  const allocation = mayHaveAllocation(slice, job)
    ? await readAllocation(deps, look.entry, signal)
    : null
  // Nomad was asked meanwhile: what the agent has told since then counts.
  const now = deps.ledger.open.get(key)
  if (now === undefined || isResult(now.slice.state)) return
  const { attempt } = now
  const verdict = classify({
    allocation,
    job: toEvidence(job, look.wasStopped),
    node: (allocation && deps.cluster.node(allocation.NodeID)) ?? null,
    report: null,
    cancelReason: now.slice.cancel_reason,
    agentHeard: attempt !== null && deps.leases.silentMs(key) <= deps.limits.lease,
  })
  if (verdict.kind === 'over') {
    await endUnlessReported(deps, now, verdict)
    const after = deps.ledger.open.get(key)
    if (after !== undefined && isResult(after.slice.state)) await closeWhenGone(deps, after, job)
    return
  }
  const isUnplaced = allocation === null && verdict.hint === null
  const hint = isUnplaced ? await explainWait(deps, slice.nomad_job_id, signal) : verdict.hint
  deps.hints.set(key, 'nomad', hint)
}

/** A living job that the list shows without any is not asked for them once more. */
function mayHaveAllocation(slice: OpenSlice['slice'], job: JobSeen | undefined): boolean {
  if (job === undefined) return false
  return job.allocations.length > 0 || slice.allocation_id !== null || job.dead || job.stop
}

/** The agent's report comes first, also when it arrives in this very moment. */
async function endUnlessReported(
  { ledger, delivery, log }: InspectionDeps,
  { key, slice }: OpenSlice,
  { reason, detail }: { reason: Reason; detail: string },
): Promise<void> {
  const place = { ...placeOf(slice), epoch: slice.epoch }
  const outcome = await ledger.write(async (entry) => {
    const attempt = await readAttempt(entry.writer, place)
    if (attempt?.reported_reason) return 'reported'
    const fact = { kind: 'ended' as const, epoch: place.epoch, reason, detail }
    return (await entry.record(place, fact)) === null ? 'known' : 'ended'
  }, place)
  // It said how it ended; what it has not sent by now stays behind on its node.
  if (outcome === 'reported') delivery.conclude(key)
  if (outcome === 'ended') {
    log.warn('an attempt at a slice ended without a report of its agent', {
      slice: key,
      reason,
      detail,
    })
  }
}

function toEvidence(
  job: JobSeen | undefined,
  wasStopped: boolean,
): { Stop: boolean; Status: string } | null {
  if (job !== undefined) return { Stop: job.stop, Status: job.dead ? 'dead' : 'running' }
  return wasStopped ? { Stop: true, Status: 'dead' } : null
}

/** The first one that Nomad made for the job, recorded when it was not known yet. */
async function readAllocation(
  deps: InspectionDeps,
  entry: OpenSlice,
  signal: AbortSignal,
): Promise<NomadAllocation | null> {
  const { slice } = entry
  const all = await deps.nomad.jobAllocations(slice.nomad_job_id, { all: true, signal })
  if (slice.allocation_id !== null)
    return all.find((each) => each.ID === slice.allocation_id) ?? null
  const first = all.sort((a, b) => a.CreateIndex - b.CreateIndex)[0] ?? null
  if (first !== null) await recordPlaced(deps.ledger, entry, first)
  return first
}

async function recordPlaced(
  ledger: Ledger,
  { slice }: OpenSlice,
  allocation: NomadAllocation,
): Promise<void> {
  await ledger.record(placeOf(slice), {
    kind: 'placed',
    epoch: slice.epoch,
    allocationId: allocation.ID,
    nodeId: allocation.NodeID,
    nodeName: allocation.NodeName,
  })
}

async function explainWait(
  { nomad, cluster, kicks }: Tools,
  job: string,
  signal: AbortSignal,
): Promise<string | null> {
  // Then nothing is evaluated, and asking for it again would change nothing.
  if (await cluster.isPaused()) return 'waits for Nomad: an operator paused its evaluation broker'
  const evaluations = await nomad.jobEvaluations(job, { signal })
  if (!isGivenUp(evaluations)) return explainEvaluations(evaluations)
  await kicks.kick(job, signal)
  return 'Nomad could not evaluate the job and is asked again'
}
