/** How waits of machines ended: with their slices, or before them. Pure. */
import type { Draft } from './draft.ts'
import { note, type Unit } from './unit.ts'

/** Of a machine whose termination waited for us. */
export type Departure =
  /** @param drainMs from the hook to the last slice gone. */
  | { kind: 'drained'; instanceId: string; drainMs: number }
  /** The group went on, and these still ran. */
  | { kind: 'abandoned'; instanceId: string; jobs: string[] }

/** Each once; remembers which were told. */
export function noteDepartures({ units, view, nowMs }: Draft): Departure[] {
  if (!view.isNomadKnown) return []
  const departures: Departure[] = []
  for (const unit of units) {
    const departure = departureOf(unit, nowMs)
    if (departure === null) continue
    note(unit, { hasDeparted: true })
    departures.push(departure)
  }
  return departures
}

function departureOf({ id: instanceId, memory, view }: Unit, nowMs: number): Departure | null {
  const { waitingSinceMs: sinceMs, emptySinceMs, drainedMs, hasDeparted } = memory
  const { live, node, member } = view
  // What ran on a node that is down is lost, by whatever took it down.
  if (sinceMs === null || hasDeparted || node?.status !== 'ready') return null
  if (live.length > 0) {
    if (!GONE_ON.test(member.lifecycle)) return null
    return { kind: 'abandoned', instanceId, jobs: live.map(({ job }) => job) }
  }
  if (drainedMs === null || emptySinceMs === null || !node.isDrained) return null
  return {
    kind: 'drained',
    instanceId,
    drainMs: Math.max(0, Math.min(emptySinceMs, nowMs) - sinceMs),
  }
}

/** Whatever still runs ends within moments. */
const GONE_ON = /^Terminat(?:ing:Proceed|ed)$/
