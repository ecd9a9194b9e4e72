/** Forgets now and then what is over. */
import type { Clock, Log, Timer } from '../../platform/index.ts'
import { findGarbage, GC_AGES } from './operations/garbage.ts'
import type { Garbage } from './operations/garbage.ts'
import type { State } from './state/state.ts'

/** As often as Nomad's leader looks. */
const SCAN_MS = 5 * 60_000

/** @returns a function that stops it. */
export function startGarbageCollector(state: State, clock: Clock, log: Log): () => void {
  let timer: Timer
  const scan = () => {
    const garbage = findGarbage(state, GC_AGES, clock.now())
    const rows = collectGarbage(state, garbage)
    if (rows > 0) log.debug('forgot what is over', { rows })
    timer = clock.after(SCAN_MS, scan).unref()
  }
  timer = clock.after(SCAN_MS, scan).unref()
  return () => timer.cancel()
}

/** @returns how many rows went. */
export function collectGarbage(state: State, { jobs, orphans, nodes }: Garbage): number {
  if (jobs.length > 0) state.commit('JobBatchDeregistered', jobs)
  if (orphans.length > 0) state.commit('Internal', orphans)
  if (nodes.length > 0) state.commit('NodeDeregistration', nodes)
  return jobs.length + orphans.length + nodes.length
}
