/** What Auto Scaling and EC2 want of this instance. Pure. */
import type { SpotNotice } from '../../platform/index.ts'

/**
 * `stay`: it serves. `rest`: it is not to serve for now, and may come back. `leave`: it ends, and a hook
 * may wait for our word.
 */
export type Wish = 'stay' | 'rest' | 'leave'

/** @param target as the metadata service tells it; what we do not know yet keeps the node at work. */
export function wishOf(target: string | null, notice: SpotNotice | null): Wish {
  if (notice !== null || target === 'Terminated' || target === 'Warmed:Terminated') return 'leave'
  if (target === 'Standby' || target?.startsWith('Warmed:') === true) return 'rest'
  return 'stay'
}

/** Before EC2 takes the machine: enough for agents to tell the server, which starts the slices elsewhere. */
const SPOT_MARGIN_MS = 20_000

/** Notices come two minutes before; a clock that is off must not make it hours, nor none at all. */
const SPOT_NOTICE_MS = 120_000

/** How long slices may go on after a notice; null without one. */
export function spotStopMs(notice: SpotNotice | null, nowMs: number): number | null {
  if (notice === null) return null
  const leftMs = Math.min(SPOT_NOTICE_MS, Math.max(0, notice.atMs - nowMs))
  return Math.max(0, leftMs - SPOT_MARGIN_MS)
}
