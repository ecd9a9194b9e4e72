/** Who wants to know of new output. */
import { parseSliceKey, toSliceKey, type SliceKey } from '../../model/index.ts'
import type { Log } from '../../platform/index.ts'
import type { OutputKey } from '../ports.ts'

type AppendListener = (key: OutputKey, have: number) => void

export function createWatchers(log: Log) {
  const bySlice = new Map<SliceKey, Set<AppendListener>>()
  return {
    /** @returns a function that ends it. */
    add(name: SliceKey, onAppend: AppendListener): () => void {
      const slice = toCanonicalKey(name)
      const ofSlice = bySlice.get(slice) ?? new Set()
      bySlice.set(slice, ofSlice)
      // A function of its own, so that watching twice with one callback counts twice.
      const listener: AppendListener = (key, have) => onAppend(key, have)
      ofSlice.add(listener)
      return () => {
        ofSlice.delete(listener)
        if (ofSlice.size === 0 && bySlice.get(slice) === ofSlice) bySlice.delete(slice)
      }
    },
    notify(key: OutputKey, have: number): void {
      for (const listener of bySlice.get(toCanonicalKey(key.slice)) ?? []) {
        try {
          listener(key, have)
        } catch (cause) {
          // The bytes are kept: what a reader makes of the news is no fault of the append.
          log.error('a watcher of output failed', { slice: key.slice, cause })
        }
      }
    },
  }
}

/** `<build>-07` and `<build>-7` name one slice, and one file. */
function toCanonicalKey(slice: SliceKey): SliceKey {
  const parts = parseSliceKey(slice)
  return parts === null ? slice : toSliceKey(parts.build, parts.index)
}
