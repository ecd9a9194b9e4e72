/**
 * The controller of a rehearsal: a pool for every group that the script made at its start, and no queue
 * behind them, so that it masters what happens to machines and does not scale by itself for a while.
 */
import { join } from 'node:path'
import type { StartController } from '../dev/index.ts'
import type { DemandSource } from '../fleet/index.ts'
import { createSteadyTime, openFleetStore, startFleet, toPolicies } from '../fleet/index.ts'
import { settings } from '../model/index.ts'
import {
  createAws,
  createShutdown,
  noMetrics,
  systemClock,
  systemRandom,
} from '../platform/index.ts'
import { openNomad } from './compose.ts'
import { untilAborted } from './dev.ts'

export const startRehearsalController: StartController = async (around) => {
  const { log } = around
  const known = settings.parse({
    server: { data_dir: around.dataDir },
    nomad: { address: around.nomad },
    pool: around.groups().map(({ name, min, max }) => ({
      name,
      group: name,
      region: around.region,
      min,
      max: Math.max(max, 1),
      instance: around.instance,
    })),
  })
  const shutdown = createShutdown(systemClock, log)
  try {
    const store = await openFleetStore(join(around.dataDir, 'fleet.db'))
    shutdown.add('store', async () => store.close())
    const nomad = await openNomad(known, log)
    shutdown.add('nomad client', () => nomad.close())
    const aws = createAws({
      region: around.region,
      clock: systemClock,
      emulator: around.endpoint,
    })
    shutdown.add('AWS', async () => aws.close())
    const fleet = startFleet({
      policies: toPolicies(known),
      awsOf: () => aws,
      nomad,
      demand: NO_QUEUE,
      store,
      clock: systemClock,
      now: createSteadyTime(systemClock),
      random: systemRandom,
      log,
      metrics: noMetrics,
      holder: 'rehearsal',
    })
    shutdown.add('fleet', () => fleet.close())
    return { close: () => shutdown.close() }
  } catch (cause) {
    await shutdown.close()
    throw cause
  }
}

/** Nothing waits, and nothing ever changes. */
const NO_QUEUE: DemandSource = {
  read: () => Promise.resolve({ classes: [], placed: [] }),
  async *changes(signal) {
    await untilAborted(signal)
    yield null
  },
}
