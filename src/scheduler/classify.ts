/**
 * Why a slice ended, when its agent did not tell: from what Nomad shows.
 *
 * A total function. Nothing that Nomad says counts as a success: job status `dead` and client status
 * `complete` only mean that nothing runs any more, and a success is the agent's to report.
 */
import { AGENT_EXIT, type Reason } from '../model/index.ts'
import { SLICE_TASK } from './template/index.ts'
import type { NomadAllocation, NomadJob, NomadNode, TaskEvent } from '../nomad/index.ts'

export interface Evidence {
  /** The slice's allocation; null while Nomad shows none. */
  allocation: NomadAllocation | null
  /** Null when Nomad does not know the job. */
  job: Pick<NomadJob, 'Stop' | 'Status'> | null
  /** Of the allocation, when it could be read. */
  node: Pick<NomadNode, 'Status' | 'Drain' | 'SchedulingEligibility'> | null
  /** What the agent said before it ended. */
  report: { reason: Reason; detail: string } | null
  /** Why we asked it to stop. */
  cancelReason: Reason | null
  /** Whether the agent was heard of within its lease. */
  agentHeard: boolean
}

export type Verdict =
  /** It may still end well. `hint` tells people what is unusual. */
  { kind: 'live'; hint: string | null } | { kind: 'over'; reason: Reason; detail: string }

export function classify(evidence: Evidence): Verdict {
  const { allocation, report } = evidence
  if (report !== null) return { kind: 'over', ...report }
  if (allocation === null) return withoutAllocation(evidence)
  if (!isTerminal(allocation)) return { kind: 'live', hint: hintOf(allocation) }
  return { kind: 'over', ...causeOf(allocation, evidence) }
}

/** Whether the client is done with it, or will never be heard of again. */
export function isTerminal(allocation: Pick<NomadAllocation, 'ClientStatus'>): boolean {
  return ['complete', 'failed', 'lost'].includes(allocation.ClientStatus)
}

interface Cause {
  reason: Reason
  detail: string
}

function withoutAllocation({ job, agentHeard, cancelReason }: Evidence): Verdict {
  const isStopped = job?.Stop === true
  if (job !== null && job.Status !== 'dead' && !isStopped) return { kind: 'live', hint: null }
  // Collected, stopped or purged. While its agent still calls, its own report is worth more.
  if (agentHeard) return { kind: 'live', hint: 'Nomad does not run the job any more' }
  const reason = isStopped ? 'stopped_by_operator' : 'vanished'
  return { kind: 'over', reason: cancelReason ?? reason, detail: '' }
}

function hintOf(allocation: NomadAllocation): string | null {
  if (allocation.ClientStatus === 'unknown') return `node ${allocation.NodeName} is disconnected`
  if (allocation.DesiredStatus === 'run') return null
  const why = allocation.DesiredDescription ?? ''
  return why === '' ? 'Nomad is stopping the allocation' : `Nomad is stopping it: ${why}`
}

function causeOf(allocation: NomadAllocation, evidence: Evidence): Cause {
  if (evidence.cancelReason !== null) return { reason: evidence.cancelReason, detail: '' }
  const node = `node ${allocation.NodeName || allocation.NodeID}`
  if (isPreempted(allocation)) {
    return { reason: 'preempted', detail: allocation.DesiredDescription ?? '' }
  }
  if (allocation.ClientStatus === 'lost') {
    return { reason: 'node_lost', detail: sentence(node, allocation.DesiredDescription) }
  }
  // Nomad ends such an allocation as complete; only this description tells.
  if (allocation.ClientDescription?.includes('max_run_duration')) {
    return { reason: 'max_run_time', detail: 'Nomad ended the allocation at its max_run_duration' }
  }
  if (allocation.DesiredStatus === 'stop') return stopCause(allocation, evidence, node)
  return taskCause(allocation)
}

/** Asked before the end too: it is why the agent gets its signal. */
export function isPreempted(allocation: NomadAllocation): boolean {
  return allocation.DesiredStatus === 'evict' || Boolean(allocation.PreemptedByAllocation)
}

function stopCause(allocation: NomadAllocation, evidence: Evidence, node: string): Cause {
  const why = allocation.DesiredDescription ?? ''
  if (evidence.job === null || evidence.job.Stop)
    return { reason: 'stopped_by_operator', detail: why }
  if (isLost(allocation, evidence.node)) {
    return { reason: 'node_lost', detail: sentence(node, why) }
  }
  if (isDrained(allocation, evidence.node)) {
    return { reason: 'drained', detail: `${node} was drained and its deadline passed` }
  }
  return { reason: 'stopped_by_operator', detail: why }
}

/**
 * Whether Nomad gave it up with its node. A node that comes back still ends it, and its agent then asks
 * why.
 */
export function isLost(allocation: NomadAllocation, node: Evidence['node']): boolean {
  const why = allocation.DesiredDescription ?? ''
  return (
    allocation.ClientStatus === 'lost' ||
    /\bis down\b|\blost\b/.test(why) ||
    node?.Status === 'down'
  )
}

/**
 * Whether Nomad stopped the allocation for a drain. An operator's `alloc stop` also asks for a
 * migration; it asks for rescheduling too, and a drain forbids placing.
 */
export function isDrained(allocation: NomadAllocation, node: Evidence['node']): boolean {
  const transition = allocation.DesiredTransition
  if (transition?.MigrateDisablePlacement) return true
  if (transition?.Reschedule) return false
  // The strategy is gone once the deadline passed, but the node stays ineligible.
  return node !== null && (node.Drain || node.SchedulingEligibility === 'ineligible')
}

/** What the task's own events tell, the most telling kind first. */
const TELLING: readonly { type: string; cause: (event: TaskEvent) => Cause | null }[] = [
  { type: 'Disk Resources Exceeded', cause: (event) => told('disk_full', event) },
  { type: 'Driver Failure', cause: driverCause },
  { type: 'Failed Artifact Download', cause: (event) => told('agent_crashed', event) },
  { type: 'Failed Validation', cause: (event) => told('agent_crashed', event) },
  { type: 'Setup Failure', cause: (event) => told('agent_crashed', event) },
  { type: 'Task hook failed', cause: (event) => told('agent_crashed', event) },
  { type: 'Failed Restoring Task', cause: (event) => told('agent_crashed', event) },
  { type: 'Terminated', cause: exitCause },
  { type: 'Sibling Task Failed', cause: (event) => told('agent_crashed', event) },
  { type: 'Leader Task Dead', cause: (event) => told('agent_crashed', event) },
  { type: 'Killed', cause: (event) => told('agent_crashed', event) },
]

function taskCause(allocation: NomadAllocation): Cause {
  const states = allocation.TaskStates ?? {}
  const events = states[SLICE_TASK]?.Events ?? Object.values(states)[0]?.Events ?? []
  for (const { type, cause } of TELLING) {
    const event = events.findLast((each) => each.Type === type)
    const found = event === undefined ? null : cause(event)
    if (found !== null) return found
  }
  const status = `the allocation is ${allocation.ClientStatus}`
  return { reason: 'agent_crashed', detail: sentence(status, allocation.ClientDescription) }
}

/** Text of registries and engines for an image that no other try will find. */
const NO_SUCH_IMAGE =
  /manifest unknown|manifest for .* not found|pull access denied|repository .*not found|no such image|unauthorized|invalid reference format/i

function driverCause(event: TaskEvent): Cause {
  return told(NO_SUCH_IMAGE.test(textOf(event)) ? 'image_pull' : 'agent_crashed', event)
}

/** Exit code 137 alone is no proof of memory: a kill after the kill timeout gives it too. */
function exitCause(event: TaskEvent): Cause {
  const { exit_code: code = '?', signal = '0', oom_killed: oom } = event.Details ?? {}
  if (oom === 'true') return { reason: 'oom', detail: 'the task ran out of memory' }
  const meaning = EXIT_MEANING[Number(code)]
  const how = signal === '0' || signal === '' ? `exit code ${code}` : `signal ${signal}`
  return { reason: 'agent_crashed', detail: sentence(`the agent ended with ${how}`, meaning) }
}

const EXIT_MEANING: Readonly<Record<number, string>> = {
  [AGENT_EXIT.finished]: 'it said that all was reported',
  [AGENT_EXIT.taken]: 'another process had claimed the slice',
  [AGENT_EXIT.notReady]: 'the server never was ready for it',
  [AGENT_EXIT.fenced]: 'the slice was no longer its own',
  [AGENT_EXIT.protocol]: 'agent and server speak different protocol versions',
  [AGENT_EXIT.beforeAccept]: 'it could not start',
  [AGENT_EXIT.afterAccept]: 'it could not go on',
  [AGENT_EXIT.notAcknowledged]: 'it could not deliver its report',
}

function told(reason: Reason, event: TaskEvent): Cause {
  return { reason, detail: sentence(event.Type, textOf(event)) }
}

function textOf(event: TaskEvent): string {
  return event.DisplayMessage || event.Message || event.Details?.['driver_error'] || ''
}

function sentence(head: string, tail: string | undefined): string {
  return tail === undefined || tail === '' ? head : `${head}: ${tail}`
}
