/** The daemon on an instance: watches what the group wants of it, and leaves in order when it has to. */
import type { LifecycleEvent } from '../../model/index.ts'
import {
  backoffMs,
  describeCause,
  sleep,
  type Clock,
  type Imds,
  type Log,
  type SpotNotice,
} from '../../platform/index.ts'
import type { NomadAllocation } from '../../nomad/index.ts'
import { readDrainMark, TOLD } from '../drain-mark.ts'
import { arrive } from './arrive.ts'
import { drain, undrain } from './drain.ts'
import {
  leave,
  type LeavePlan,
  type LifecycleAws,
  type LifecycleNomad,
  type Tell,
} from './leave.ts'
import { ownNodeId } from './nodes.ts'
import { spotStopMs, wishOf, type Wish } from './wish.ts'

export interface LifecycleDeps {
  imds: Imds
  nomad: LifecycleNomad
  /** In the region of the instance. */
  openAws: (region: string) => LifecycleAws
  clock: Clock
  random: () => number
  log: Log
  report: (event: LifecycleEvent) => void
}

export interface LifecycleOptions extends Pick<
  LeavePlan,
  'hook' | 'result' | 'beforeComplete' | 'giveUpMs' | 'stopAtShare' | 'settleMs'
> {
  /** Instead of what the metadata service tells. */
  region: string | undefined
  /** On a recommendation of EC2 the node takes no new slices, until a controller gives it back. */
  cordonsAtRisk?: boolean
  /** How often the metadata service is asked; two seconds when absent. */
  pollMs?: number
}

/** Spot notices come two minutes before the end: two seconds of them are worth a call. */
const POLL_MS = 2000

const RETRY = { baseMs: 1000, maxMs: 15_000 }

/** Ends with the signal. */
export async function runLifecycle(
  deps: LifecycleDeps,
  options: LifecycleOptions,
  signal: AbortSignal,
): Promise<void> {
  const { imds, clock } = deps
  const tell = createTell(deps)
  const identity = await findIdentity(deps, tell, { region: options.region, signal })
  if (identity === null) return
  tell.event({ type: 'ready', instance: identity.instanceId, region: identity.region })
  const aws = deps.openAws(identity.region)
  const ways = createWays(deps, { aws, tell, options, instanceId: identity.instanceId })
  let target: string | null | undefined
  let notice: SpotNotice | null = null
  let isAtRisk = false
  let isMarked = options.cordonsAtRisk !== true
  while (!signal.aborted) {
    try {
      const told = await imds.targetState()
      if (told !== target) tell.event({ type: 'target', state: told })
      target = told
      const warned = await imds.spotNotice()
      if (warned !== null && notice === null) {
        const when = new Date(warned.atMs).toISOString()
        tell.event({ type: 'spot_notice', action: warned.action, when })
      }
      // EC2 takes back what it gave, not what it said.
      notice ??= warned
      const hintMs = await imds.rebalanceHint()
      if (hintMs !== null && !isAtRisk) {
        tell.event({ type: 'rebalance', since: new Date(hintMs).toISOString() })
        isAtRisk = true
      }
      tell.well('imds')
    } catch (cause) {
      tell.trouble('imds', cause)
    }
    // What it said last stands while it says nothing: a group never takes back that an instance has to go.
    if (target !== undefined) {
      const wish = wishOf(target, notice)
      await ways.go(wish, notice)
      if (wish === 'stay' && isAtRisk && !isMarked) isMarked = await markAtRisk(deps, tell)
    }
    await sleep(clock, options.pollMs ?? POLL_MS, signal)
  }
  await ways.stop()
}

async function findIdentity(
  { imds, clock, random }: LifecycleDeps,
  tell: ReturnType<typeof createTell>,
  { region, signal }: { region: string | undefined; signal: AbortSignal },
): Promise<{ instanceId: string; region: string } | null> {
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      const instanceId = await imds.instanceId()
      const found = { instanceId, region: region ?? (await imds.region()) }
      tell.well('imds')
      return found
    } catch (cause) {
      tell.trouble('imds', cause)
    }
    await sleep(clock, backoffMs(tries, { ...RETRY, random }), signal)
  }
  return null
}

interface WayParts {
  aws: LifecycleAws
  tell: ReturnType<typeof createTell>
  options: LifecycleOptions
  instanceId: string
}

/** At most one way is gone at a time; another wish ends it. */
function createWays(deps: LifecycleDeps, { aws, tell, options, instanceId }: WayParts) {
  const { nomad, clock, random } = deps
  let current: { wish: Wish; isSpot: boolean; abort: AbortController; done: Promise<void> } | null =
    null

  const stop = async () => {
    current?.abort.abort()
    await current?.done
  }

  const begin = (wish: Wish, notice: SpotNotice | null, signal: AbortSignal): Promise<void> => {
    if (wish === 'stay') {
      const arrived = arrive({ nomad, aws, clock, random, tell }, instanceId, signal)
      return Promise.all([giveBack(deps, tell, signal), arrived]).then(() => undefined)
    }
    const plan: LeavePlan = {
      ...options,
      instanceId,
      isEnding: wish === 'leave',
      stopAfterMs: spotStopMs(notice, clock.now()),
    }
    return leave({ nomad, aws, clock, random, tell }, plan, signal).then(() => undefined)
  }

  return {
    stop,
    async go(wish: Wish, notice: SpotNotice | null): Promise<void> {
      const isSpot = notice !== null
      if (current?.wish === wish && current.isSpot === isSpot) return
      await stop()
      const abort = new AbortController()
      const done = begin(wish, notice, abort.signal).catch((cause: unknown) => {
        deps.log.error('the way out broke', { wish, cause })
        // The next look begins it again.
        current = null
      })
      current = { wish, isSpot, abort, done }
    },
  }
}

/**
 * Tells whoever looks at Nomad, once: no more than that, since a machine at risk may run for days. Where no
 * other one stands by, the controller gives the node back.
 *
 * @returns whether it is told.
 */
async function markAtRisk(
  { nomad, clock }: LifecycleDeps,
  tell: ReturnType<typeof createTell>,
): Promise<boolean> {
  try {
    const node = await nomad.readNode(await ownNodeId(nomad))
    tell.well('nomad')
    // One that is not there yet is told later; what somebody else has taken out is left as it is.
    if (node === null) return false
    if (node.SchedulingEligibility !== 'eligible') return true
    const mark = { by: 'lifecycle' as const, reason: TOLD.atRisk, sinceMs: clock.now() }
    await drain(nomad, node.ID, { stopAfterMs: null, ignoreSystemJobs: true, mark })
    tell.drain(node.ID)
    return true
  } catch (cause) {
    tell.trouble('nomad', cause)
    return false
  }
}

/** What we drained while the instance was not to serve takes work again; what others drained does not. */
async function giveBack(
  { nomad, clock, random }: LifecycleDeps,
  tell: ReturnType<typeof createTell>,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      const node = await nomad.readNode(await ownNodeId(nomad))
      tell.well('nomad')
      const found = node === null ? null : readDrainMark(node)
      if (node === null || found?.by !== 'lifecycle' || found.reason === TOLD.atRisk) return
      const mark = {
        by: 'lifecycle' as const,
        reason: 'the instance is back in service',
        sinceMs: clock.now(),
      }
      const markEligible = found.wasOut !== true
      await undrain(nomad, node.ID, { markEligible, mark })
      if (!markEligible) return
      return tell.event({ type: 'undrain', node_id: node.ID })
    } catch (cause) {
      tell.trouble('nomad', cause)
    }
    await sleep(clock, backoffMs(tries, { ...RETRY, random }), signal)
  }
}

type WithoutTime<Event> = Event extends unknown ? Omit<Event, 'at'> : never

/** A trouble is told when it begins, and not again before it is over. */
function createTell({ clock, log, report }: LifecycleDeps): Tell & {
  event(event: WithoutTime<LifecycleEvent>): void
  well(what: string): void
} {
  const troubles = new Map<string, string>()
  let lastLeft = ''
  const event = (news: WithoutTime<LifecycleEvent>) => {
    report({ ...news, at: new Date(clock.now()).toISOString() })
  }
  const well = (what: string) => {
    if (troubles.delete(what)) log.info('works again', { what })
  }
  return {
    event,
    well,
    drain: (node_id) => {
      well('nomad')
      event({ type: 'drain', node_id })
    },
    left(allocations) {
      well('nomad')
      const views = allocations.map(toAllocationView)
      const text = JSON.stringify(views)
      if (text === lastLeft) return
      lastLeft = text
      event({ type: 'left', allocations: views })
    },
    beat(hook, capMs) {
      well('aws')
      event({ type: 'beat', hook, cap_seconds: Math.round(capMs / 1000) })
    },
    cap: (hook, share, capMs) =>
      event({ type: 'cap', hook, share, cap_seconds: Math.round(capMs / 1000) }),
    lapsed: (state) => event({ type: 'lapsed', state }),
    empty: () => event({ type: 'empty' }),
    completed: (hook, accepted) => event({ type: 'completed', hook, accepted }),
    trouble(what, cause) {
      const message = describeCause(cause)
      log.debug('did not work', { what, cause })
      if (troubles.get(what) === message) return
      troubles.set(what, message)
      event({ type: 'trouble', with: what, message })
    },
  }
}

export function toAllocationView({ ID, JobID, ClientStatus }: NomadAllocation) {
  return { id: ID, job: JobID, status: ClientStatus }
}
