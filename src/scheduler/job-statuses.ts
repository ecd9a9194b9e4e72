/** What Nomad shows of a set of jobs, whatever its version offers to ask with. */
import PQueue from 'p-queue'
import type { JobStatus, NomadAllocation } from '../nomad/index.ts'
import type { SchedulerNomad } from './ports.ts'

export interface JobSeen {
  stop: boolean
  /** Nothing of it runs or waits to be placed. */
  dead: boolean
  allocations: readonly { id: string; isTerminal: boolean; isUnknown: boolean }[]
}

/** Jobs in one request: its answer stays far below a megabyte. */
const JOBS_PER_REQUEST = 200

/** Up to so many jobs are asked for one by one where the call for several is missing. */
const SINGLES_MAX = 50
const SINGLES_CONCURRENCY = 8

type StatusNomad = Pick<
  SchedulerNomad,
  'jobStatuses' | 'jobAllocations' | 'readJob' | 'listJobs' | 'listAllocations'
>

/** A job that Nomad does not know is left out. */
export async function readJobsSeen(
  nomad: StatusNomad,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, JobSeen>> {
  const seen = new Map<string, JobSeen>()
  for (let start = 0; start < ids.length; start += JOBS_PER_REQUEST) {
    const some = ids.slice(start, start + JOBS_PER_REQUEST)
    const statuses = await nomad.jobStatuses(some, { signal })
    if (statuses === null) return readWithoutStatuses(nomad, ids, signal)
    for (const status of statuses) seen.set(status.ID, fromStatus(status))
  }
  return seen
}

function fromStatus(status: JobStatus): JobSeen {
  const allocations = status.Allocs ?? []
  return { stop: status.Stop, dead: status.Status === 'dead', allocations: allocations.map(toSeen) }
}

function toSeen({ ID, ClientStatus }: Pick<NomadAllocation, 'ID' | 'ClientStatus'>) {
  return {
    id: ID,
    isTerminal: ['complete', 'failed', 'lost'].includes(ClientStatus),
    isUnknown: ClientStatus === 'unknown',
  }
}

/** Before Nomad 1.8: one by one while they are few, else from the lists of everything. */
async function readWithoutStatuses(
  nomad: StatusNomad,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, JobSeen>> {
  const seen = new Map<string, JobSeen>()
  if (ids.length > SINGLES_MAX) {
    await readFromLists(nomad, new Set(ids), seen, signal)
    return seen
  }
  const queue = new PQueue({ concurrency: SINGLES_CONCURRENCY })
  await queue.addAll(
    ids.map((id) => async () => {
      const job = await nomad.readJob(id, { signal })
      if (job === null) return
      const allocations = await nomad.jobAllocations(id, { signal })
      const { Stop, Status } = job
      seen.set(id, {
        stop: Stop === true,
        dead: Status === 'dead',
        allocations: allocations.map(toSeen),
      })
    }),
  )
  return seen
}

async function readFromLists(
  nomad: StatusNomad,
  ids: ReadonlySet<string>,
  seen: Map<string, JobSeen>,
  signal: AbortSignal,
): Promise<void> {
  const allocations = new Map<string, NomadAllocation[]>()
  for await (const page of nomad.listAllocations({ signal })) {
    for (const each of page.items) {
      if (!ids.has(each.JobID)) continue
      const known = allocations.get(each.JobID)
      if (known === undefined) allocations.set(each.JobID, [each])
      else known.push(each)
    }
  }
  for await (const page of nomad.listJobs({ signal })) {
    for (const { ID, Stop, Status } of page.items) {
      if (!ids.has(ID)) continue
      const own = (allocations.get(ID) ?? []).map(toSeen)
      seen.set(ID, { stop: Stop, dead: Status === 'dead', allocations: own })
    }
  }
}
