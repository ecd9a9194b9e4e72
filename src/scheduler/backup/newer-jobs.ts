/**
 * After a restore: what Nomad has of ours that the backup is too old to know.
 *
 * Such a job belongs to a build, or to an attempt, that no longer exists for us. Nobody would ever ask
 * for its result, and a new attempt would get its name: it is stopped, and purged to free the name. A
 * job whose slice and epoch the store knows is adopted in the usual way, when its slice is submitted.
 */
import PQueue from 'p-queue'
import { isBuildId } from '../../model/index.ts'
import type { NomadJobStub } from '../../nomad/index.ts'
import type { Clock, Log, RandomSource } from '../../platform/index.ts'
import type { Ledger } from '../ledger.ts'
import { startLoop, type Loops } from '../loop.ts'
import type { SchedulerNomad } from '../ports.ts'
import { endRestore, readSlice, type Reader } from '../store/index.ts'

export interface NewerJobsDeps {
  ledger: Pick<Ledger, 'read' | 'write'>
  nomad: Pick<SchedulerNomad, 'listJobs' | 'deregisterJob'>
  installId: string
  log: Log
}

/** As few as stops of other jobs: the leader has to place new ones too. */
const CONCURRENCY = 8

/** Long after all is settled. */
const REST_MS = 3_600_000

/** Settles, as often as it takes, and starts everything else then. */
export function startAfterRestore(
  start: () => Loops,
  deps: NewerJobsDeps & { clock: Clock; random: RandomSource },
): Loops {
  const { clock, random, log } = deps
  let loops: Loops | null = null
  const settling = startLoop({
    name: 'settling the restore with Nomad',
    clock,
    random,
    log,
    async turn(signal) {
      if (loops !== null) return REST_MS
      await stopNewerJobs(deps, signal)
      loops = start()
      return REST_MS
    },
  })
  return {
    faults: () => loops?.faults() ?? [settling.fault()].filter((fault) => fault !== null),
    async stop() {
      await settling.stop()
      await loops?.stop()
    },
  }
}

/** @throws CaravanError when Nomad cannot be asked; nothing is settled then, and it can be tried again. */
async function stopNewerJobs(deps: NewerJobsDeps, signal: AbortSignal): Promise<void> {
  const { ledger, nomad, installId, log } = deps
  const newer: NomadJobStub[] = []
  let lastNumber = 0
  for await (const page of nomad.listJobs({ meta: true, signal })) {
    for (const job of page.items) {
      if (job.Meta?.['install'] !== installId) continue
      lastNumber = Math.max(lastNumber, Number(job.Meta['number']) || 0)
      if (await isNewer(ledger.read, job)) newer.push(job)
    }
  }
  const queue = new PQueue({ concurrency: CONCURRENCY })
  const stops = newer.map((job) => async () => {
    await nomad.deregisterJob(job.ID, { purge: true, signal })
    const { build, slice, number } = job.Meta ?? {}
    log.warn('a Nomad job newer than the restored backup was stopped', {
      job: job.ID,
      build,
      slice,
      number,
      was: job.Status,
    })
  })
  await queue.addAll(stops)
  await ledger.write((entry) => endRestore(entry.writer, lastNumber))
  log.info('the restore is settled', { stopped: newer.length, lastNumber })
}

async function isNewer(read: Reader, job: NomadJobStub): Promise<boolean> {
  const { build = '', slice: index, epoch } = job.Meta ?? {}
  if (!isBuildId(build)) return true
  const slice = await readSlice(read, { build, index: Number(index) })
  if (slice === null || Number(epoch) > slice.epoch) return true
  return Number(epoch) === slice.epoch && slice.nomad_job_id !== job.ID
}
