/**
 * A day of a large pool on the virtual clock: the real controller with its loop, its store and its hooks, the
 * AWS emulator, and a Nomad and a queue in this process, which are watched over for what must never happen.
 */
import type { Clock } from '../../src/platform/index.ts'
import { LOOP_TIMES } from '../../src/fleet/run.ts'
import { aCluster, seeded, type Cluster } from '../../tests/fleet/support/cluster.ts'
import { MEDIUMS_PER_NODE, MINUTE } from '../../tests/fleet/support/views.ts'

const DAY_HOURS = 24
/** Each takes half as long up to one and a half times. */
const SLICE_MS = 5 * MINUTE
/** At midnight, of the nodes at noon. */
const LEAST_SHARE = 0.1
/** Machines are renewed while builds run on them: those are drained with what runs there. */
const AGES_PER_DAY = 2
/** After the last slices have come. */
const END_MS = 60 * MINUTE

/**
 * Something changes each second of such a day, so that the controller would look as often as it may: a hundred
 * thousand times. Here it looks as often as at rest, whatever happens.
 */
const LOOK_MS = LOOP_TIMES.quietMs
const TIMES = { busyMs: LOOK_MS, quietMs: LOOK_MS, leastMs: LOOK_MS, standbyMs: LOOK_MS }

interface DayOptions {
  /** At noon. */
  nodes: number
  /** A shorter day has a steeper wave. */
  hours?: number
}

export interface Day {
  /** By the clock that was given. */
  elapsedMs: number
  looks: number
  slices: number
  /** How many nodes took slices at most. */
  most: number
  /** Machines that were drained, waited in the hook, and were let go. */
  released: number
  calls: number
}

/** @throws Error when the day did not go as it must: the time of a day that went wrong tells nothing. */
export async function runDay(clock: Clock, { nodes, hours = DAY_HOURS }: DayOptions): Promise<Day> {
  const cluster = await aCluster({
    policy: {
      max: nodes,
      idleOffMs: 10 * MINUTE,
      maxAgeMs: (hours * 60 * MINUTE) / AGES_PER_DAY,
      budget: { percent: 10 },
    },
    group: { max: nodes },
    logLevel: 'error',
    times: TIMES,
  })
  cluster.nomad.keepsEnded = false
  const startedMs = clock.monotonic()
  cluster.start()
  const { slices, most } = await passDay(cluster, nodes, hours * 60)
  await cluster.until('all slices have run', () => cluster.queue.slices.size === 0, END_MS)
  const elapsedMs = clock.monotonic() - startedMs
  await cluster.close()
  const day = {
    elapsedMs,
    looks: cluster.metrics.filter(({ name }) => name === DECISION).length,
    slices,
    most,
    released: count(cluster, (event) => event.type === 'action-closed' && event.by === 'complete'),
    calls: cluster.calls.length,
  }
  const wrong = [...cluster.violations, ...judge(cluster, day, { nodes, hours })]
  if (wrong.length > 0) throw new Error(`the day went wrong:\n${wrong.join('\n')}`)
  return day
}

/** One for each look. */
const DECISION = 'circle.fleet.decision.duration'

async function passDay(
  cluster: Cluster,
  nodes: number,
  minutes: number,
): Promise<{ slices: number; most: number }> {
  const random = seeded(1)
  let slices = 0
  let most = 0
  for (let minute = 0; minute < minutes; minute++) {
    const arrived = Math.round(arrivals(minute / minutes, nodes))
    cluster.queue.add(arrived, () => SLICE_MS * (0.5 + random.number()))
    slices += arrived
    await cluster.pass(MINUTE)
    most = Math.max(most, cluster.eligible())
  }
  return { slices, most }
}

/** In one minute: so many that together they fill the share of the nodes that the hour wants. */
function arrivals(shareOfDay: number, nodes: number): number {
  const wave = (1 - Math.cos(shareOfDay * 2 * Math.PI)) / 2
  const share = LEAST_SHARE + (1 - LEAST_SHARE) * wave
  return (share * nodes * MEDIUMS_PER_NODE * MINUTE) / SLICE_MS
}

function judge(
  cluster: Cluster,
  { slices, most, released, looks }: Day,
  { nodes, hours }: Required<DayOptions>,
): string[] {
  const { done } = cluster.queue
  const lost = count(cluster, (event) => event.type === 'action-closed' && event.by !== 'complete')
  const left = cluster.eligible()
  return [
    ...(done === slices ? [] : [`${done} of ${slices} slices have run`]),
    ...(most >= 0.9 * nodes ? [] : [`there were ${most} nodes at most`]),
    ...(left <= nodes / 2 ? [] : [`${left} nodes are left at midnight`]),
    ...(released >= nodes / 2 ? [] : [`${released} machines were drained and let go`]),
    ...(lost === 0 ? [] : [`${lost} hooks ended by themselves`]),
    ...(looks >= (hours * 60 * MINUTE) / (2 * LOOK_MS) ? [] : [`it looked ${looks} times`]),
  ]
}

function count({ events }: Cluster, isIt: (event: Cluster['events'][number]) => boolean): number {
  return events.filter(isIt).length
}
