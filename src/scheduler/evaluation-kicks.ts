/** Asks Nomad to look again at jobs that it gave up on placing. */
import type { Clock, Log } from '../platform/index.ts'
import type { SchedulerNomad } from './ports.ts'

export interface EvaluationKicks {
  /** Asks once in a while, however often it is called. */
  kick(job: string, signal: AbortSignal): Promise<void>
}

/** Nomad itself comes back to it after one to six minutes; more often than this it would help nobody. */
const REPEAT_MS = 30_000

export function createEvaluationKicks(deps: {
  nomad: Pick<SchedulerNomad, 'evaluateJob'>
  clock: Clock
  log: Log
}): EvaluationKicks {
  const { nomad, clock, log } = deps
  const askedMs = new Map<string, number>()
  return {
    async kick(job, signal) {
      const nowMs = clock.monotonic()
      for (const [each, atMs] of askedMs) if (nowMs - atMs >= REPEAT_MS) askedMs.delete(each)
      if (askedMs.has(job)) return
      askedMs.set(job, nowMs)
      await nomad.evaluateJob(job, { signal })
      log.warn('Nomad had given up on a job and is asked to evaluate it again', { job })
    },
  }
}
