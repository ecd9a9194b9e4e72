/** What the server wants of a running agent. */
import { isResult, type Control, type SliceKey } from '../../model/index.ts'
import { keyOf } from '../open-slices.ts'
import type { Followers } from '../output/index.ts'
import type { SliceRow } from '../store/index.ts'

/** How long an agent gathers output before it sends, while somebody watches. */
const WATCHED_FLUSH_MS = 250
/** Ten thousand slices at this pace are five thousand requests a second. */
const FLUSH_MS = 2000

/** Cancelling has the later versions, however often watchers have come and gone before. */
const CANCEL_VERSION = 2 ** 40

export type Ordered = Pick<SliceRow, 'build_id' | 'slice_index' | 'cancel_reason' | 'state'>

export interface Orders {
  of(slice: Ordered): Control
  /** The agent has orders of this version: those that come are later ones. */
  saw(key: SliceKey, version: number): void
  forget(key: SliceKey): void
}

/**
 * Versions tell by themselves what they order: odd ones the slow pace, even ones the fast one, large ones
 * the end. So after a restart, when nobody knows how often the pace has changed, an old version is never
 * taken for another order; and what the agent says it has seen tells which number comes next.
 */
export function createOrders(followers: Followers): Orders {
  /** The last version of each slice whose pace has changed. */
  const versions = new Map<SliceKey, number>()
  return {
    of(slice) {
      const key = keyOf(slice)
      const isWatched = followers.has(slice.build_id)
      const version = nextVersion(versions.get(key) ?? 1, isWatched)
      if (version > 1 && !isResult(slice.state)) versions.set(key, version)
      const pace = { flush_ms: isWatched ? WATCHED_FLUSH_MS : FLUSH_MS, mask: [] }
      if (slice.cancel_reason === null) return { version, action: 'none', ...pace }
      const reason = slice.cancel_reason
      return { version: CANCEL_VERSION + version, action: 'cancel', reason, ...pace }
    },
    saw(key, version) {
      const seen = version % CANCEL_VERSION
      if (seen > (versions.get(key) ?? 1)) versions.set(key, seen)
    },
    forget: (key) => void versions.delete(key),
  }
}

/** The first version from `last` on that orders this pace. */
function nextVersion(last: number, isWatched: boolean): number {
  return (last % 2 === 0) === isWatched ? last : last + 1
}
