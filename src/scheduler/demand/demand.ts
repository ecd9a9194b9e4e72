/** What all open slices together ask of the cluster. Pure. */
import {
  isResult,
  toReservation,
  type DemandClass,
  type DemandSlice,
  type DemandState,
  type ResourceClass,
} from '../../model/index.ts'
import { readySinceMs } from '../measures.ts'
import type { OpenSlice } from '../open-slices.ts'
import { hasAccepted } from '../slice-machine.ts'
import { predict } from './quantiles.ts'
import type { RunTimes } from './run-times.ts'

export interface DemandView {
  open: Iterable<OpenSlice>
  classes: ReadonlyMap<string, ResourceClass>
  nowMs: number
}

/** Every class there is, in the order of the settings; then those that only slices still name. */
export function toDemandClasses({ open, classes, nowMs }: DemandView): DemandClass[] {
  const tallies = new Map([...classes].map(([name, each]) => [name, emptyClass(name, each)]))
  for (const entry of open) {
    if (isResult(entry.slice.state)) continue
    const name = entry.build.resource_class
    const tally = tallies.get(name) ?? emptyClass(name, undefined)
    tallies.set(name, tally)
    const state = stateOf(entry)
    const age = ageMsOf(entry, nowMs) / 1000
    tally[state] += 1
    if (state === 'running') {
      tally.longest_running_seconds = Math.max(tally.longest_running_seconds, age)
    } else {
      tally.oldest_waiting_seconds = Math.max(tally.oldest_waiting_seconds, age)
    }
  }
  return [...tallies.values()]
}

export function toDemandSlice(
  entry: OpenSlice,
  runTimes: Pick<RunTimes, 'of'>,
  nowMs: number,
): DemandSlice {
  const { key, build, slice } = entry
  const state = stateOf(entry)
  const ageMs = ageMsOf(entry, nowMs)
  return {
    slice: key,
    epoch: slice.epoch,
    resource_class: build.resource_class,
    priority: build.priority,
    state,
    node_id: slice.node_id,
    age_seconds: ageMs / 1000,
    predicted: predict(runTimes.of(build) ?? [], state === 'running' ? ageMs : 0),
  }
}

/** What runs holds places and comes first; then who is to be served first. */
export function inOrder(entries: Iterable<OpenSlice>): OpenSlice[] {
  const rank = (entry: OpenSlice) => RANKS[stateOf(entry)]
  return [...entries].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      b.build.priority - a.build.priority ||
      readySinceMs(a.slice) - readySinceMs(b.slice),
  )
}

const RANKS: Readonly<Record<DemandState, number>> = { running: 0, placing: 1, waiting: 1 }

function emptyClass(name: string, resourceClass: ResourceClass | undefined): DemandClass {
  const reserved = resourceClass && toReservation(resourceClass)
  return {
    resource_class: name,
    pool: resourceClass?.pools?.[0] ?? null,
    pools: [...(resourceClass?.pools ?? [])],
    node_class: resourceClass?.nodeClass ?? null,
    reservation: reserved ? { cpu_mhz: reserved.cpuMhz, memory_mib: reserved.memoryMiB } : null,
    waiting: 0,
    placing: 0,
    running: 0,
    oldest_waiting_seconds: 0,
    longest_running_seconds: 0,
  }
}

function stateOf({ slice }: OpenSlice): DemandState {
  if (hasAccepted(slice.state)) return 'running'
  return slice.state === 'waiting_usage' || slice.state === 'waiting_run' ? 'waiting' : 'placing'
}

/** By our own clock on both ends; one that was set back makes nothing younger than new. */
function ageMsOf({ slice }: OpenSlice, nowMs: number): number {
  const sinceMs = hasAccepted(slice.state) ? (slice.started_ms ?? nowMs) : readySinceMs(slice)
  return Math.max(0, nowMs - sinceMs)
}
