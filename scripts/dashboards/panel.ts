/** What a panel and a dashboard are, and what their queries share. */
import type { Asked, Query } from './query.ts'

export interface Panel {
  title: string
  /** What to do with it, in a sentence. */
  why: string
  /** As Grafana calls it. */
  unit: 'short' | 's' | 'bytes' | 'Bps' | 'percentunit' | 'reqps' | 'ms' | 'ops'
  /** By the name that its lines have. */
  lines: Readonly<Record<string, Asked>>
  stacked?: true
  /** From here on it is red. */
  limit?: number
}

export interface Dashboard {
  slug: 'overview' | 'fleet' | 'control-plane'
  title: string
  panels: readonly Panel[]
}

const CLASS = ['resource_class'] as const
/** Nodes that take work. */
export const IN_USE = { drain: ['false'], status: ['ready'] } as const

export const byClass = (metric: Query['metric'], as: Query['as']): Query => ({ metric, as, by: CLASS })
