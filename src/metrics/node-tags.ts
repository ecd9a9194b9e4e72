/** What is said of a node beside its numbers. */
import type { NodeReading } from '../nomad/index.ts'
import type { Tags } from './format.ts'

export interface NodeTagOptions {
  /** Also what dashboards of old do not know: eligibility, and `disconnected` for what it is. */
  extended: boolean
  /** Which node it is: without, the gauges of two nodes that send to one server overwrite each other. */
  identity: boolean
}

/** @param onUnknown told of a status that is none. */
export function toNodeTags(
  node: NodeReading,
  options: NodeTagOptions,
  onUnknown: (status: string) => void,
): Tags {
  return {
    drain: isDrained(node),
    status: toStatus(node.Status, options.extended, onUnknown),
    ...(options.extended ? { eligibility: node.SchedulingEligibility ?? 'eligible' } : {}),
    ...(options.identity
      ? { node: node.Name ?? node.ID, node_class: node.NodeClass, node_pool: node.NodePool }
      : {}),
  }
}

/**
 * A node that has been drained stays so until it takes work again. From 0.8 on Nomad takes the mark away
 * when the drain is over, and leaves the node ineligible.
 */
export function isDrained(node: NodeReading): boolean {
  if (node.Drain === true || (node.DrainStrategy ?? null) !== null) return true
  return node.SchedulingEligibility === 'ineligible' && node.LastDrain?.Status === 'complete'
}

export function toStatus(
  status: string,
  extended: boolean,
  onUnknown: (status: string) => void,
): string {
  if (['initializing', 'ready', 'down'].includes(status)) return status
  if (status === 'disconnected') return extended ? status : 'down'
  onUnknown(status)
  return 'down'
}
