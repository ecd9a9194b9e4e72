/** For programs that have to stay small: what V8 puts off. */

let collect: (() => void) | null = null

/** Bytes of buffers. V8 itself waits for 64 MB more than there were; clearing them away sooner costs more often. */
const BUFFERS_MAX = 48e6

/**
 * Clears away what was made since the last time, which costs next to nothing at a moment when nobody holds any of
 * it. Left alone V8 comes in the middle of work, keeps what is half done, takes it for old, and lets it lie.
 */
export function collectGarbage(): void {
  collect ??= findCollector()
  collect()
}

/** By a way that V8 has for its own tests. */
function findCollector(): () => void {
  const { getHeapStatistics, setFlagsFromString } = process.getBuiltinModule('node:v8')
  setFlagsFromString('--expose-gc')
  // Only a context that is made after the flag has the function.
  const gc: unknown = process.getBuiltinModule('node:vm').runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof gc !== 'function') return () => undefined
  return () => {
    const type = getHeapStatistics().external_memory > BUFFERS_MAX ? 'major' : 'minor'
    ;(gc as (options: { type: 'major' | 'minor' }) => void)({ type })
  }
}
