/**
 * How long the slices of each job ran lately, in memory.
 *
 * Of each job that somebody asks about, the store is read once; from then on, what ends is noted here.
 */
import { isResult } from '../../model/index.ts'
import type { AppliedFact } from '../ledger.ts'
import { readDurations, type JobName, type Reader, type SliceRow } from '../store/index.ts'

export interface RunTimes {
  /** Shortest first, in milliseconds; undefined while the job was not loaded. */
  of(job: JobName): readonly number[] | undefined
  /** Reads those of them that are not known, as many as one call may. */
  load(jobs: Iterable<JobName>): Promise<void>
  /** A slice of the job came to this. */
  note(job: JobName, applied: Pick<AppliedFact, 'before' | 'after'>): void
}

/** Of one job: what ran before the last 256 slices says little of today. */
const SAMPLES_MAX = 256

/** With all their samples 4 MB. */
const JOBS_MAX = 2000

/** Two looks at an index each: with more, a first answer after a start would take its time. */
const LOADS_PER_CALL = 100

interface Times {
  /** Newest last. */
  recent: number[]
  sorted: number[] | null
}

export function createRunTimes(read: Reader): RunTimes {
  const known = new Map<string, Times>()

  const find = (job: JobName): Times | undefined => {
    const name = nameOf(job)
    const times = known.get(name)
    if (times === undefined) return undefined
    // The one that nobody asked about for the longest time comes first.
    known.delete(name)
    known.set(name, times)
    return times
  }

  return {
    of(job) {
      const times = find(job)
      return times && (times.sorted ??= times.recent.toSorted((a, b) => a - b))
    },
    async load(jobs) {
      const missing = new Map<string, JobName>()
      for (const job of jobs) {
        if (missing.size >= LOADS_PER_CALL) break
        const name = nameOf(job)
        if (!known.has(name)) missing.set(name, job)
      }
      for (const [name, job] of missing) {
        const newestFirst = await readDurations(read, job, SAMPLES_MAX)
        known.set(name, { recent: newestFirst.toReversed(), sorted: null })
      }
      for (const name of known.keys()) {
        if (known.size <= JOBS_MAX) break
        known.delete(name)
      }
    },
    note(job, { before, after }) {
      const ms = isResult(before.state) ? null : wholeRunMs(after)
      const times = ms === null ? undefined : known.get(nameOf(job))
      if (ms === null || times === undefined) return
      times.recent.push(ms)
      if (times.recent.length > SAMPLES_MAX) times.recent.shift()
      times.sorted = null
    },
  }
}

/** Null for one that did not run to an end of its own. */
function wholeRunMs({ state, started_ms, finished_ms }: SliceRow): number | null {
  const isWhole = state === 'succeeded' || state === 'failed' || state === 'timed_out'
  if (!isWhole || started_ms === null || finished_ms === null) return null
  return Math.max(0, finished_ms - started_ms)
}

function nameOf({ org, repo, job }: JobName): string {
  return JSON.stringify([org, repo, job])
}
