/** Tells Nomad to stop jobs of slices that are over, or whose agent does not obey. */
import PQueue from 'p-queue'
import type { SliceKey } from '../model/index.ts'
import { deadline, type Clock, type Log } from '../platform/index.ts'
import type { OpenSlice } from './open-slices.ts'
import type { SchedulerNomad } from './ports.ts'

export interface JobStops {
  /** Asks once in a while however often it is called; whether it helped is seen in Nomad. */
  stop(entry: OpenSlice): void
  /** Asks now: what was asked before cannot have helped. */
  stopAgain(entry: OpenSlice): void
  forget(key: SliceKey): void
  /** Waits for the requests under way; those that wait for their turn are dropped. */
  close(): Promise<void>
}

/** Stopping thousands at once would keep the leader's disk busy while it should place others. */
const CONCURRENCY = 8

/** A stop that had no effect by then is worth asking for again. */
const REPEAT_MS = 30_000

/** After a request that failed: Nomad may be away, and thousands may be waiting for it. */
const RETRY_MS = 5000

const REQUEST_MAX_MS = 15_000

export function createJobStops(deps: {
  nomad: Pick<SchedulerNomad, 'deregisterJob'>
  clock: Clock
  log: Log
}): JobStops {
  const { nomad, clock, log } = deps
  const queue = new PQueue({ concurrency: CONCURRENCY })
  const askedMs = new Map<SliceKey, number>()

  const ask = async ({ key, slice }: OpenSlice): Promise<void> => {
    const limit = deadline(clock, REQUEST_MAX_MS)
    try {
      await nomad.deregisterJob(slice.nomad_job_id, { signal: limit.signal })
      log.info('Nomad job stopped', { slice: key, job: slice.nomad_job_id })
    } catch (cause) {
      askedMs.set(key, clock.monotonic() - REPEAT_MS + RETRY_MS)
      log.warn('a Nomad job could not be stopped yet', { slice: key, cause })
    } finally {
      limit.cancel()
    }
  }

  const stopAgain = (entry: OpenSlice): void => {
    askedMs.set(entry.key, clock.monotonic())
    void queue.add(() => ask(entry))
  }

  return {
    stopAgain,
    stop(entry) {
      const before = askedMs.get(entry.key)
      if (before === undefined || clock.monotonic() - before >= REPEAT_MS) stopAgain(entry)
    },
    forget: (key) => void askedMs.delete(key),
    async close() {
      queue.clear()
      await queue.onIdle()
    },
  }
}
