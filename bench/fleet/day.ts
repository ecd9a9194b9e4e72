/** A day of a large pool on the virtual clock: the real controller, the AWS emulator, Nomad in this process. */
import type { Clock } from '../../src/platform/index.ts'
import { aCluster, seeded } from '../../tests/fleet/support/cluster.ts'
import { MINUTE } from '../../tests/fleet/support/views.ts'

const HOURS = 24
/** At noon; a tenth of it at midnight. */
const NODES = 1000
const SLICES_PER_NODE = 2
const SLICE_MS = 5 * MINUTE

/** Builds come and go all day long: it looks as often as a fleet at rest, whatever wakes it. */
const TIMES = { busyMs: 5000, quietMs: 5000, leastMs: 5000, standbyMs: 5000 }

export interface Day {
  elapsedMs: number
  slices: number
  /** How many nodes there were at most. */
  most: number
}

/** @throws Error when the day did not go as it must. */
export async function runDay(clock: Clock): Promise<Day> {
  const cluster = await aCluster({
    policy: { max: NODES, idleOffMs: 10 * MINUTE },
    group: { max: NODES },
    logLevel: 'error',
    times: TIMES,
  })
  cluster.nomad.keepsEnded = false
  const startedMs = clock.monotonic()
  cluster.start()
  const random = seeded(1)
  let slices = 0
  let most = 0
  for (let minute = 0; minute < HOURS * 60; minute++) {
    const count = Math.round(arrivals(minute))
    cluster.queue.add(count, () => SLICE_MS * (0.5 + random.number()))
    slices += count
    await cluster.pass(MINUTE)
    most = Math.max(most, cluster.eligible())
  }
  const elapsedMs = clock.monotonic() - startedMs
  await cluster.close()
  if (cluster.violations.length > 0) throw new Error(cluster.violations.join('\n'))
  if (most < 0.8 * NODES) throw new Error(`the pool came to ${most} nodes only`)
  return { elapsedMs, slices, most }
}

/** In this minute: so many that together they fill the share of the nodes that the hour wants. */
function arrivals(minute: number): number {
  const share = 0.55 - 0.45 * Math.cos((minute / (24 * 60)) * 2 * Math.PI)
  return (share * NODES * SLICES_PER_NODE * MINUTE) / SLICE_MS
}
