/** What a pool's memory becomes when what was planned has been done, or has not. Pure. */
import type { Intent } from './intents.ts'
import type { PoolMemory } from './memory.ts'

export interface Outcome {
  /**
   * `refused`: AWS, Nomad or the last proof said no, and nothing happened. `unknown`: it may have happened;
   * what is seen next decides.
   */
  kind: 'done' | 'refused' | 'unknown'
  text: string
  /** Of several machines, those that were refused. */
  except?: readonly string[]
}

/** Changes the memory. */
export function learn(memory: PoolMemory, intent: Intent, outcome: Outcome, nowMs: number): void {
  if (intent.kind === 'set_desired') {
    if (outcome.kind !== 'refused') memory.asked = { desired: intent.desired, atMs: nowMs }
    return
  }
  if (intent.kind === 'protect' || intent.kind === 'unprotect') {
    for (const id of intent.instanceIds) {
      const unit = memory.units[id]
      if (unit === undefined) continue
      const isExcepted = outcome.except?.includes(id) ?? false
      // One that may be protected by us is ours to look after: of a call that failed as a whole, the first
      // try may have come through, and only the last one been refused.
      const isFree = intent.kind === 'protect' ? isExcepted : outcome.kind === 'done' && !isExcepted
      if (isFree) unit.isProtectedByUs = false
    }
    return
  }
  // What was refused is proven anew before it is tried again.
  if (intent.kind === 'end_stray' || intent.kind === 'purge') {
    const subject = intent.kind === 'purge' ? intent.nodeId : intent.instanceId
    if (outcome.kind !== 'done') memory.gone[subject] = nowMs
    return
  }
  if (!('instanceId' in intent)) return
  const unit = memory.units[intent.instanceId]
  if (unit === undefined) return
  if (intent.kind === 'terminate') {
    if (outcome.kind === 'refused') {
      unit.committedMs = null
      unit.isDecremented = false
      if (unit.cordon !== null) unit.cordon.seenMs = nowMs
    } else if (intent.decrement && memory.asked !== null) {
      memory.asked = { ...memory.asked, desired: memory.asked.desired - 1 }
    }
  }
  if (intent.kind === 'cordon' && outcome.kind === 'refused') unit.cordon = null
  if (intent.kind === 'uncordon' && outcome.kind === 'done') unit.cordon = null
  if (intent.kind === 'complete' && outcome.kind === 'done') unit.completedMs = nowMs
  if (intent.kind === 'abandon') unit.completedMs = outcome.kind === 'done' ? nowMs : null
  if (intent.kind === 'complete' || intent.kind === 'abandon') unit.completedHook = intent.hook
  if (intent.kind === 'end_retained' && outcome.kind === 'done') unit.endedMs = nowMs
  if (intent.kind === 'drain' && outcome.kind === 'refused') unit.drainedMs = null
}
