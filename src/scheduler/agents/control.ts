/** What an agent asks rather than tells: its orders, and why it got a signal. */
import type { Control, Reason } from '../../model/index.ts'
import type { NomadAllocation } from '../../nomad/index.ts'
import { deadline, type Clock } from '../../platform/index.ts'
import { isDrained, isLost, isPreempted } from '../classify.ts'
import type { Ledger } from '../ledger.ts'
import type { Followers } from '../output/index.ts'
import type { AgentGate, AgentOutcome, SchedulerNomad } from '../ports.ts'
import type { Identify, KnownCaller } from './callers.ts'
import type { Orders } from './orders.ts'

/** Longer than any lease is worth; also what the protocol allows. */
const WAIT_MAX_MS = 60_000

/** The agent waits a second for the reason of its signal, and then goes on without it. */
const WHY_MS = 800

export interface ControlDeps {
  identify: Identify
  ledger: Ledger
  orders: Orders
  followers: Followers
  clock: Clock
  /** Aborts when the server closes: whoever waits gets its answer first. */
  closing: AbortSignal
}

export function createControl(deps: ControlDeps): AgentGate['control'] {
  const { identify, ledger, orders, followers, clock, closing } = deps
  return async (caller, { seen, waitMs }, signal) => {
    const first = await identify(caller)
    if (!first.ok || first.value.isOver) return withControl(orders, first)
    orders.saw(caller.slice, seen)
    if (orders.of(first.value.slice).version > seen || waitMs === 0)
      return withControl(orders, first)

    const changed = new AbortController()
    const { build, index } = first.value.place
    const stopFollowers = followers.subscribe(build, () => look())
    const stopChanges = ledger.changes.subscribe(build, (change) => {
      if (change.kind === 'slice' && change.slice === index) look()
    })
    const look = () => {
      const slice = ledger.open.get(caller.slice)?.slice
      if (slice === undefined || orders.of(slice).version > seen) changed.abort()
    }
    const limitMs = Math.min(waitMs, WAIT_MAX_MS)
    const limit = deadline(clock, limitMs, signal, closing, changed.signal)
    // It may have changed between the first look and the subscription.
    look()
    await aborted(limit.signal)
    limit.cancel()
    stopChanges()
    stopFollowers()
    return withControl(orders, await identify(caller))
  }
}

export function createWhy(
  deps: ControlDeps & { nomad: Pick<SchedulerNomad, 'readAllocation' | 'readJob' | 'readNode'> },
): AgentGate['why'] {
  const { identify, orders, clock, nomad } = deps
  return async (caller) => {
    const known = await identify(caller)
    if (!known.ok) return known
    const { slice } = known.value
    const control = orders.of(slice)
    if (control.action !== 'none' || slice.allocation_id === null) return withControl(orders, known)
    const limit = deadline(clock, WHY_MS, deps.closing)
    try {
      const { signal } = limit
      const job = await nomad.readJob(slice.nomad_job_id, { signal })
      const allocation = await nomad.readAllocation(slice.allocation_id, { signal })
      const node = slice.node_id && (await nomad.readNode(slice.node_id, { signal }))
      const reason = whyStopped({ job, allocation, node: node || null })
      if (reason === null) return { ok: true, value: { control } }
      const cancel: Control = { ...control, version: control.version + 1, action: 'cancel', reason }
      return { ok: true, value: { control: cancel } }
    } finally {
      limit.cancel()
    }
  }
}

/** @returns null when Nomad wants the allocation to go on: somebody else sent the signal. */
export function whyStopped(seen: {
  job: { Stop?: boolean } | null
  allocation: NomadAllocation | null
  node: Parameters<typeof isDrained>[1]
}): Reason | null {
  const { job, allocation, node } = seen
  if (job === null || job.Stop) return 'stopped_by_operator'
  if (allocation === null) return null
  if (isPreempted(allocation)) return 'preempted'
  if (allocation.ClientDescription?.includes('max_run_duration')) return 'max_run_time'
  if (allocation.DesiredStatus !== 'stop') return null
  if (isLost(allocation, node)) return 'node_lost'
  return isDrained(allocation, node) ? 'drained' : 'stopped_by_operator'
}

function withControl(
  orders: Orders,
  known: AgentOutcome<KnownCaller>,
): AgentOutcome<{ control: Control }> {
  return known.ok ? { ok: true, value: { control: orders.of(known.value.slice) } } : known
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
