/** Names that are taken for what is still to come, so that nobody gives them another meaning. */
import { rowsBy, type MetricRow } from './metric-row.ts'

const of = rowsBy('reserved')

export const RESERVED_METRICS = {
  'circle.data.artifact.bytes': of('count', 'bytes', 'artifacts stored'),
  'circle.data.cache.requests': of('count', 'events', 'caches asked for', ['outcome']),
  'circle.data.cache.bytes': of('count', 'bytes', 'caches moved', ['direction']),
  'circle.data.workspace.bytes': of('count', 'bytes', 'workspaces moved', ['direction']),
} as const satisfies Record<string, MetricRow>
