/** What the controller may do. Only these kinds reach AWS or Nomad. */

/** Why a node goes. */
export type VictimReason =
  | 'idle'
  | 'outdated'
  | 'max_age'
  /** EC2 recommends to replace it. */
  | 'at_risk'
  /** EC2 takes it back within two minutes. */
  | 'interrupted'
  | 'never_registered'
  | 'unfit'

export type Intent =
  | { kind: 'set_desired'; pool: string; group: string; desired: number; reason: string }
  /** Takes no new slices from here on; can be taken back. */
  | { kind: 'cordon'; pool: string; instanceId: string; nodeId: string; reason: VictimReason }
  | { kind: 'uncordon'; pool: string; instanceId: string; nodeId: string; reason: string }
  /** The instance is lost already: its slices may end, new ones do not come. */
  | {
      kind: 'drain'
      pool: string
      instanceId: string
      nodeId: string
      reason: string
      /** It is drained already, and Nomad does not see that nothing is left. */
      isRenewal?: boolean
    }
  | { kind: 'protect' | 'unprotect'; pool: string; group: string; instanceIds: string[] }
  | {
      kind: 'terminate'
      pool: string
      group: string
      instanceId: string
      /** Its node, which is proven empty once more before the call; null when it never had one. */
      nodeId: string | null
      decrement: boolean
      /** What is left of the group's size when it goes: less would mean that somebody else takes away as well. */
      sizeAfter: number
      reason: VictimReason
    }
  | {
      kind: 'complete'
      pool: string
      group: string
      hook: string
      instanceId: string
      /** Proven empty once more before the call; null when there is nothing to prove. */
      nodeId: string | null
      reason: string
    }
  /**
   * Ends the wait of a hook the other way. `replace`: of a machine that never came up, which its group ends and
   * replaces. `retain`: of one that its group then keeps, until it is ended by name.
   */
  | {
      kind: 'abandon'
      pool: string
      group: string
      hook: string
      instanceId: string
      to: 'replace' | 'retain'
    }
  /** Of a machine that its group retains. */
  | {
      kind: 'end_retained'
      pool: string
      group: string
      instanceId: string
      /** Proven empty once more before the call; null when there is nothing to prove. */
      nodeId: string | null
    }
  /** Of a node whose instance is gone for sure. */
  | { kind: 'purge'; pool: string; nodeId: string; instanceId: string }
  /** Of an instance that its group does not have any more. */
  | { kind: 'end_stray'; pool: string; instanceId: string; nodeId: string | null }

export type IntentKind = Intent['kind']

/** These are stored before they are done, and looked after when their end is not known. */
const IRREVERSIBLE: ReadonlySet<IntentKind> = new Set([
  'set_desired',
  'terminate',
  'complete',
  'abandon',
  'end_retained',
  'purge',
  'end_stray',
])

export function isIrreversible({ kind }: Pick<Intent, 'kind'>): boolean {
  return IRREVERSIBLE.has(kind)
}

/** One after the other: what gives before what takes, and what is cordoned before what is ended. */
const ORDER: readonly (readonly IntentKind[])[] = [
  ['set_desired', 'uncordon'],
  ['cordon', 'drain', 'protect'],
  ['complete', 'abandon'],
  ['terminate', 'end_retained', 'end_stray', 'purge', 'unprotect'],
]
const CALLS_MAX = 16

/** Those of one part are carried out at the same time, and before the next part. */
export function inParts(intents: readonly Intent[]): Intent[][] {
  return ORDER.flatMap((kinds) => {
    const fitting = intents.filter(({ kind }) => kinds.includes(kind))
    return Array.from({ length: Math.ceil(fitting.length / CALLS_MAX) }, (_, at) =>
      fitting.slice(at * CALLS_MAX, (at + 1) * CALLS_MAX),
    )
  })
}

/** The instance, node or group that it is about. */
export function subjectOf(intent: Intent): string {
  if ('instanceId' in intent) return intent.instanceId
  if ('instanceIds' in intent) return intent.instanceIds.join(' ')
  return intent.group
}
