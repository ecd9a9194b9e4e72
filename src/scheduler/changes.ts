/** Tells listeners what was committed about the build they look at. */
import type { BuildId } from '../model/index.ts'
import type { Change, ChangeFeed } from './ports.ts'

export interface Changes extends ChangeFeed {
  announce(build: BuildId, change: Change): void
}

/** @param onFault called with what a listener threw: it must not stop the others, nor who announces. */
export function createChanges(onFault: (cause: unknown) => void): Changes {
  const listeners = new Map<BuildId, Set<(change: Change) => void>>()
  return {
    subscribe(build, listener) {
      // One function may subscribe twice; each subscription is its own entry.
      const entry = (change: Change) => listener(change)
      const entries = listeners.get(build) ?? new Set()
      listeners.set(build, entries.add(entry))
      return () => {
        entries.delete(entry)
        if (entries.size === 0 && listeners.get(build) === entries) listeners.delete(build)
      }
    },
    announce(build, change) {
      for (const listener of listeners.get(build) ?? []) {
        try {
          listener(change)
        } catch (cause) {
          onFault(cause)
        }
      }
    },
  }
}
