/** How queue, slices and places stand now, as numbers. Pure. */
import { isResult, type ResourceClass } from '../model/index.ts'
import type { GaugeReading } from '../platform/index.ts'
import { largestRoom, placesFor, type NodeCapacity } from './capacity.ts'
import { readySinceMs } from './measures.ts'
import type { OpenSlice } from './open-slices.ts'
import { hasAccepted } from './slice-machine.ts'

export interface GaugeView {
  open: Iterable<OpenSlice>
  classes: ReadonlyMap<string, ResourceClass>
  /** Null while they can not be read: then nothing is said of places. */
  nodes: readonly NodeCapacity[] | null
  nowMs: number
}

interface Tally {
  waiting: number
  oldestMs: number
  running: number
  longestMs: number
}

/** Every class has its series, also with nothing in it: what is absent can not be told from what is 0. */
export function toGauges({ open, classes, nodes, nowMs }: GaugeView): GaugeReading[] {
  const live = [...open].filter(({ slice }) => !isResult(slice.state))
  const tallies = new Map<string, Tally>([...classes.keys()].map((name) => [name, emptyTally()]))
  const runnable = new Set<string>()
  for (const { build, slice } of live) {
    const tally = tallies.get(build.resource_class) ?? emptyTally()
    tallies.set(build.resource_class, tally)
    if (hasAccepted(slice.state)) {
      tally.running += 1
      tally.longestMs = Math.max(tally.longestMs, nowMs - (slice.started_ms ?? nowMs))
    } else {
      tally.waiting += 1
      tally.oldestMs = Math.max(tally.oldestMs, nowMs - readySinceMs(slice))
      runnable.add(build.id)
    }
  }
  return [
    { name: 'circle.build-queue.runnable.builds', value: runnable.size },
    ...[...tallies].flatMap(([name, tally]) => toReadings(name, tally)),
    ...(nodes === null ? [] : toPlaces(live, nodes, classes)),
  ]
}

function emptyTally(): Tally {
  return { waiting: 0, oldestMs: 0, running: 0, longestMs: 0 }
}

function toReadings(resource_class: string, tally: Tally): GaugeReading[] {
  const tags = { resource_class }
  return [
    { name: 'circle.scheduler.queue.depth', value: tally.waiting, tags },
    { name: 'circle.scheduler.queue.oldest_age', value: tally.oldestMs / 1000, tags },
    { name: 'circle.slice.running', value: tally.running, tags },
    { name: 'circle.slice.running_age', value: tally.longestMs / 1000, tags },
  ]
}

function toPlaces(
  live: readonly OpenSlice[],
  nodes: readonly NodeCapacity[],
  classes: ReadonlyMap<string, ResourceClass>,
): GaugeReading[] {
  const places = placesFor({ live, nodes, classes })
  const { cpuMhz, memoryMiB } = largestRoom({ live, nodes, classes })
  return [
    ...[...places].map(([resource_class, value]) => {
      return { name: 'circle.fleet.slots.available', value, tags: { resource_class } }
    }),
    { name: 'circle.fleet.free_slot.cpu', value: cpuMhz },
    { name: 'circle.fleet.free_slot.memory', value: memoryMiB },
  ]
}
