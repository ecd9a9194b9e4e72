/**
 * Why a live slice waits, or what is odd about it, in one sentence.
 *
 * Kept in memory alone: a hint is only as good as what was seen last, and is seen anew after a restart.
 */
import type { SliceKey } from '../model/index.ts'

export interface Hints {
  of(key: SliceKey): string
  /** @param hint null takes it back. */
  set(key: SliceKey, by: HintSource, hint: string | null): void
  forget(key: SliceKey): void
}

/** The most telling first: what one source says hides what the later ones say. */
const SOURCES = ['agent', 'nomad', 'queue'] as const
export type HintSource = (typeof SOURCES)[number]

/** @param onChange called when what people see of a slice is another sentence than before. */
export function createHints(onChange: (key: SliceKey) => void): Hints {
  const hints = new Map<SliceKey, Partial<Record<HintSource, string>>>()
  const read = (key: SliceKey): string => {
    const known = hints.get(key)
    const source = SOURCES.find((each) => known?.[each] !== undefined)
    return (source && known?.[source]) ?? ''
  }
  return {
    of: read,
    set(key, by, hint) {
      // Most slices have nothing to explain, or nothing new, and are asked about every second.
      if ((hints.get(key)?.[by] ?? null) === hint) return
      const before = read(key)
      const { [by]: _old, ...others } = hints.get(key) ?? {}
      const now = hint === null ? others : { ...others, [by]: hint }
      if (Object.keys(now).length === 0) hints.delete(key)
      else hints.set(key, now)
      if (read(key) !== before) onChange(key)
    },
    forget: (key) => void hints.delete(key),
  }
}
