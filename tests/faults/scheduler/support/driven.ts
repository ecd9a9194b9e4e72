/** The same world on a clock that only the test moves. */
import type { Test } from 'tap'
import type { BuildView } from '../../../../src/model/index.ts'
import { TestClock } from '../../../../src/platform/index.ts'
import type { Scheduler } from '../../../../src/scheduler/index.ts'
import { aRequest } from '../../../scheduler/support/scheduler.ts'
import { isOver, startWorld, untilPassing, type Faults, type WorldOptions } from './world.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND

/** One slice that is placed, on a clock that the test moves. */
export async function onTestClock(
  t: Test,
  { rig, ...options }: WorldOptions & { rig?: (faults: Faults) => void } = {},
) {
  const clock = new TestClock()
  const world = await startWorld(t, {
    clock,
    settings: { limits: { start: '2m', max_run_time: '20m', orphan: '5m' } },
    ...options,
  })
  // In small steps, as time passes, and with room for the sockets in between.
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= SECOND) {
      await clock.tick(Math.min(left, SECOND))
      for (let turns = 0; turns < 5; turns += 1) await new Promise(setImmediate)
    }
  }
  const view = async () => (await world.scheduler.readBuild('1'))?.slices[0]
  rig?.(world.faults)
  await world.scheduler.submit(aRequest())
  const untilPlaced = () =>
    untilPassing(clock, async () => (await view())?.allocation_id, 'a place')
  const untilOver = () => untilPassing(clock, () => readOver(world.scheduler), 'the end')
  return { ...world, clock, pass, view, untilPlaced, untilOver }
}

export async function readOver(scheduler: Scheduler): Promise<BuildView | false> {
  const build = await scheduler.readBuild('1')
  return build !== null && isOver(build) && build
}
