/** Which builds somebody follows with their output: their agents send it sooner. */
import type { BuildId } from '../../model/index.ts'

export interface Followers {
  /** @returns a function that ends it. */
  join(build: BuildId): () => void
  has(build: BuildId): boolean
  /** Calls back when the first one comes and when the last one goes. @returns a function that ends it. */
  subscribe(build: BuildId, listener: () => void): () => void
}

export function createFollowers(): Followers {
  const counts = new Map<BuildId, number>()
  const listeners = new Map<BuildId, Set<() => void>>()
  const set = (build: BuildId, count: number): void => {
    const had = counts.has(build)
    if (count > 0) counts.set(build, count)
    else counts.delete(build)
    if (had !== counts.has(build)) for (const listener of listeners.get(build) ?? []) listener()
  }
  return {
    join(build) {
      set(build, (counts.get(build) ?? 0) + 1)
      let isHere = true
      return () => {
        if (isHere) set(build, (counts.get(build) ?? 1) - 1)
        isHere = false
      }
    },
    has: (build) => counts.has(build),
    subscribe(build, listener) {
      const ofBuild = listeners.get(build) ?? new Set()
      listeners.set(build, ofBuild)
      ofBuild.add(listener)
      return () => {
        ofBuild.delete(listener)
        if (ofBuild.size === 0 && listeners.get(build) === ofBuild) listeners.delete(build)
      }
    },
  }
}
