/** The controller's loop: ticks, soon while something is under way, seldom while all is well. */
import {
  backoffMs,
  deadline,
  sleep,
  type Clock,
  type GaugeReading,
  type Log,
  type RandomSource,
} from '../platform/index.ts'
import { createController, type ControllerDeps, type Tick } from './controller.ts'
import { fleetGauges } from './gauges.ts'
import { createPace } from './pace.ts'
import type { FleetGroups, FleetNomad } from './ports.ts'

export interface FleetLoop {
  /** As of the last tick. */
  gauges(): GaugeReading[]
  /** What could not be read or done last; empty when all is well. */
  faults(): string[]
  /** Returns when the tick that runs is over; heartbeats end with it. */
  close(): Promise<void>
}

export interface LoopTimes {
  /** While machines come or go, or slices wait. */
  busyMs: number
  /** While nothing changes. */
  quietMs: number
  /** Between two ticks at least, whoever wakes it. */
  leastMs: number
  /** While another controller acts. */
  standbyMs: number
}

/** A tick is two calls to AWS at least: a quiet hour of any number of groups is 720 of them. */
export const LOOP_TIMES: LoopTimes = {
  busyMs: 750,
  quietMs: 5000,
  leastMs: 500,
  standbyMs: 1000,
}

const BACKOFF = { baseMs: 500, maxMs: 15_000 }
/** A tick with a hundred machines to proof and end; one that takes longer hangs. */
const TICK_MS = 120_000

export interface LoopOptions {
  times?: LoopTimes
  /** Looks and plans, and neither stores nor acts. */
  dryRun?: boolean
  onTick?: (tick: Tick) => void
}

export function startFleet(
  deps: Omit<ControllerDeps, 'wake'>,
  { times = LOOP_TIMES, dryRun = false, onTick = () => undefined }: LoopOptions = {},
): FleetLoop {
  const { clock, random, log } = deps
  const stopping = new AbortController()
  let rest = new AbortController()
  const wake = () => rest.abort(WOKEN)
  const pace = createPace(clock)
  const watched = new Map<string, FleetGroups>()
  const awsOf = (region: string): FleetGroups => {
    const known = watched.get(region) ?? pace.watch(deps.awsOf(region))
    watched.set(region, known)
    return known
  }
  const controller = createController({ ...deps, awsOf, wake })
  let last: Tick | null = null
  let fault: string | null = null

  const run = async (): Promise<void> => {
    let failures = 0
    while (!stopping.signal.aborted) {
      rest = new AbortController()
      let restMs: number
      try {
        last = await inTime(clock, stopping.signal, (signal) => controller.tick(signal, { dryRun }))
        onTick(last)
        failures = 0
        fault = null
        restMs = restOf(last, times)
      } catch (cause) {
        if (stopping.signal.aborted) return
        failures += 1
        fault = cause instanceof Error ? cause.message : String(cause)
        restMs = backoffMs(failures, { ...BACKOFF, random: () => random.number() })
        log.error('a tick of the fleet failed', { failures, retryMs: restMs, cause })
      }
      const leastMs = Math.max(times.leastMs, pace.restMs())
      await sleep(clock, leastMs, stopping.signal)
      const ends = failures === 0 ? [rest.signal, stopping.signal] : [stopping.signal]
      await sleep(clock, Math.max(0, restMs - leastMs), AbortSignal.any(ends))
    }
  }
  const done = Promise.resolve().then(run)
  const hints: Record<string, (signal: AbortSignal) => AsyncIterable<unknown>> = {
    Nomad: (signal) => nomadChanges(deps.nomad, signal),
    demand: (signal) => deps.demand.changes(signal),
  }
  const watching = Object.entries(hints).map(([what, open]) =>
    watch(what, open, wake, { clock, random, log }, stopping.signal),
  )
  return {
    gauges: () => fleetGauges(last, controller.beats(), clock.monotonic()),
    faults: () => [
      ...(fault === null ? [] : [fault]),
      ...(last?.kind === 'acted' ? last.faults : []),
    ],
    async close() {
      stopping.abort(new Error('the controller is closing'))
      await Promise.all([done, ...watching])
      await controller.close()
    },
  }
}

/** Made once: an abort without a reason makes one with a stack each time. */
const WOKEN = new Error('woken')

function restOf(tick: Tick, times: LoopTimes): number {
  if (tick.kind === 'leased') return times.standbyMs
  const isBusy = [...tick.plans.values()].some(
    ({ intents, hooks, why: { ledger, demand, desired, target } }) =>
      intents.length + hooks.length > 0 ||
      desired !== target ||
      Object.keys(demand).length > 0 ||
      UNSETTLED.some((state) => (ledger[state] ?? 0) > 0),
  )
  return isBusy || tick.faults.length > 0 ? times.busyMs : times.quietMs
}

const UNSETTLED = [
  'requested',
  'booting',
  'cordoned',
  'interrupted',
  'committing',
  'waiting',
  'terminating',
]

async function inTime(
  clock: Clock,
  stopping: AbortSignal,
  tick: (signal: AbortSignal) => Promise<Tick>,
): Promise<Tick> {
  const ends = deadline(clock, TICK_MS, stopping)
  try {
    return await tick(ends.signal)
  } finally {
    ends.cancel()
  }
}

async function* nomadChanges(nomad: FleetNomad, signal: AbortSignal): AsyncGenerator {
  const topics = [{ topic: 'Node' }, { topic: 'Allocation' }] as const
  for await (const item of nomad.events({ topics, namespace: '*' }, signal)) {
    if (item.kind === 'batch') yield item
  }
}

/** Changes that others tell of are hints: they only let the next tick come now. */
async function watch(
  what: string,
  open: (signal: AbortSignal) => AsyncIterable<unknown>,
  wake: () => void,
  { clock, random, log }: { clock: Clock; random: RandomSource; log: Log },
  signal: AbortSignal,
): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    try {
      const changes = open(signal)[Symbol.asyncIterator]()
      for (let next = await changes.next(); next.done !== true; next = await changes.next()) {
        failures = 0
        wake()
      }
    } catch (cause) {
      if (signal.aborted) return
      log.debug('changes can not be followed', { what, cause })
    }
    failures += 1
    await sleep(clock, backoffMs(failures, { ...BACKOFF, random: () => random.number() }), signal)
  }
}
