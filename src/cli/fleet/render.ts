/** How nodes and hooks are told to people. */
import type { CompleteReport, DrainReport } from '../../model/index.ts'
import { toSafeText } from '../render/hostile.ts'

export function drawNode({ node_name, node_id, outcome, allocations }: DrainReport): string {
  const left = outcome === 'empty' || outcome === 'gone' ? [] : allocations
  const head = `${toSafeText(node_name)} (${node_id.slice(0, 8)}) ${OUTCOMES[outcome]}`
  return `${head}${drawLeft(left)}\n`
}

export function drawCompletion(report: CompleteReport): string {
  const { instance, group, hook, result, outcome, allocations } = report
  const done = {
    completed: `hook ${hook} of ${group} completed with ${result}`,
    over: 'nothing waited for it',
    refused: `hook ${hook} of ${group} goes on waiting`,
    planned: `hook ${hook} of ${group} would be completed with ${result}`,
  }[outcome]
  const isHidden = outcome === 'refused' && allocations.length === 0
  return `${instance}: ${done}${isHidden ? HIDDEN : drawLeft(allocations)}\n`
}

const HIDDEN =
  '; its drain is not over: something runs that NOMAD_TOKEN may not see, or nobody drained it'

const OUTCOMES: Readonly<Record<DrainReport['outcome'], string>> = {
  draining: 'takes no new work',
  drained: 'took no new work already',
  empty: 'is empty',
  busy: 'is still busy',
  eligible: 'takes work again: somebody gave it back',
  gone: 'is not known to Nomad any more',
  undrained: 'takes work again',
  planned: 'would be changed',
}

function drawLeft(allocations: DrainReport['allocations']): string {
  if (allocations.length === 0) return ''
  const lines = allocations.map(({ id, job, status }) => {
    return `  ${id.slice(0, 8)} ${toSafeText(job)} ${status}`
  })
  return `; ${allocations.length} still on it:\n${lines.join('\n')}`
}
