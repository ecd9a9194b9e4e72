/** What a pool's memory becomes when what was planned has been done, or has not. Pure. */
import type { Intent } from './intents.ts'
import { noteUnits, type PoolMemory, type UnitMemory } from './memory.ts'

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
    // One that may be protected by us is ours to look after: of a call that failed as a whole, the first try
    // may have come through, and only the last one been refused.
    const isFree = (id: string) => {
      const isExcepted = outcome.except?.includes(id) ?? false
      return intent.kind === 'protect' ? isExcepted : outcome.kind === 'done' && !isExcepted
    }
    noteUnits(memory, intent.instanceIds.filter(isFree), () => ({ isProtectedByUs: false }))
    return
  }
  // What was refused is proven anew before it is tried again.
  if (intent.kind === 'end_stray' || intent.kind === 'purge') {
    const subject = intent.kind === 'purge' ? intent.nodeId : intent.instanceId
    if (outcome.kind !== 'done') memory.gone[subject] = nowMs
    return
  }
  if (!('instanceId' in intent)) return
  if (intent.kind === 'terminate' && outcome.kind !== 'refused') {
    const { asked } = memory
    if (intent.decrement && asked !== null && memory.units.has(intent.instanceId)) {
      memory.asked = { ...asked, desired: asked.desired - 1 }
    }
  }
  noteUnits(memory, [intent.instanceId], (unit) => changeOf(unit, intent, outcome, nowMs))
}

function changeOf(
  { cordon }: UnitMemory,
  intent: Intent,
  { kind }: Outcome,
  nowMs: number,
): Partial<UnitMemory> {
  const isDone = kind === 'done'
  const isRefused = kind === 'refused'
  switch (intent.kind) {
    case 'terminate':
      if (!isRefused) return {}
      return {
        committedMs: null,
        isDecremented: false,
        cordon: cordon === null ? null : { ...cordon, seenMs: nowMs },
      }
    case 'cordon':
      return isRefused ? { cordon: null } : {}
    case 'uncordon':
      return isDone ? { cordon: null } : {}
    case 'complete':
      return { completedHook: intent.hook, ...(isDone && { completedMs: nowMs }) }
    case 'abandon':
      return { completedHook: intent.hook, completedMs: isDone ? nowMs : null }
    case 'end_retained':
      return isDone ? { endedMs: nowMs } : {}
    case 'drain':
      return isRefused ? { drainedMs: null } : {}
    default:
      return {}
  }
}
