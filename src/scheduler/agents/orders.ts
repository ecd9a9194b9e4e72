/** What the server wants of a running agent. Pure. */
import type { Control } from '../../model/index.ts'
import type { SliceRow } from '../store/index.ts'

/**
 * How long an agent gathers output before it sends: short enough for somebody who watches, and the
 * largest number of small requests that a step can cause.
 */
const FLUSH_MS = 250

/** Versions: 1 when an agent starts, 2 once it is to stop. They follow from the row, so a restart keeps them. */
export function toControl(slice: Pick<SliceRow, 'cancel_reason'>): Control {
  const none = { version: 1, action: 'none' as const, flush_ms: FLUSH_MS, mask: [] }
  if (slice.cancel_reason === null) return none
  return { ...none, version: 2, action: 'cancel', reason: slice.cancel_reason }
}
