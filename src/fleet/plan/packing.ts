/**
 * Slices into rooms: which waiting ones find a place, and how many new machines the others need. Pure.
 *
 * Slices of a class are alike, so that classes are placed and not slices: ten thousand of them take as long as
 * ten. Big classes go first; of the rooms, those go first that have least left.
 */
import type { ClassDemand, Room } from '../ports.ts'

/** What is free on a machine; one object for each, since there may be ten thousand. */
export interface Bin extends Room {
  id: string
}

export interface Waiting {
  name: string
  need: Room
  count: number
}

export interface Packing {
  /** By id of the bins that got something: how many slices. */
  used: Map<string, number>
  left: Waiting[]
}

/** @returns those that can be placed in principle, biggest first, and the others. */
export function toWaiting(
  classes: readonly ClassDemand[],
  shape: Room,
): { waiting: Waiting[]; impossible: { name: string; need: Room | null; count: number }[] } {
  const waiting: Waiting[] = []
  const impossible: { name: string; need: Room | null; count: number }[] = []
  for (const { name, need, waiting: count } of classes) {
    if (count === 0) continue
    if (need === null || fits(need, shape) === 0) impossible.push({ name, need, count })
    else waiting.push({ name, need, count })
  }
  const share = ({ need }: Waiting) =>
    Math.max(need.cpuMhz / shape.cpuMhz, need.memoryMiB / shape.memoryMiB)
  return { waiting: waiting.sort((a, b) => share(b) - share(a)), impossible }
}

/** Fills what is there: what is left in the bins is changed. They are not even looked at when nothing waits. */
export function fill(waiting: readonly Waiting[], bins: Iterable<Bin>): Packing {
  const used = new Map<string, number>()
  const left: Waiting[] = []
  const open = waiting.length === 0 ? [] : findOpen(waiting, bins)
  for (const each of waiting) {
    let count = each.count
    for (const bin of open) {
      if (count === 0) break
      const taken = Math.min(count, fits(each.need, bin))
      if (taken === 0) continue
      take(bin, each.need, taken)
      used.set(bin.id, (used.get(bin.id) ?? 0) + taken)
      count -= taken
    }
    if (count > 0) left.push({ ...each, count })
  }
  return { used, left }
}

/** Those that have room for one at least, the fullest first. */
function findOpen(waiting: readonly Waiting[], bins: Iterable<Bin>): Bin[] {
  // Most machines are full: two comparisons tell so.
  const least = { cpuMhz: Infinity, memoryMiB: Infinity }
  for (const { need } of waiting) {
    least.cpuMhz = Math.min(least.cpuMhz, need.cpuMhz)
    least.memoryMiB = Math.min(least.memoryMiB, need.memoryMiB)
  }
  const open: Bin[] = []
  for (const bin of bins) {
    if (bin.cpuMhz < least.cpuMhz || bin.memoryMiB < least.memoryMiB) continue
    if (waiting.some(({ need }) => fits(need, bin) > 0)) open.push(bin)
  }
  return open.sort((a, b) => a.cpuMhz - b.cpuMhz)
}

/** How many machines of a shape these need; at most `most`, since more can not be asked for. */
export function countNew(waiting: readonly Waiting[], shape: Room, most: number): number {
  const open: Room[] = []
  for (const { need, count: wanted } of waiting) {
    let count = wanted
    for (const room of open) {
      if (count === 0) break
      const taken = Math.min(count, fits(need, room))
      take(room, need, taken)
      count -= taken
    }
    const each = fits(need, shape)
    while (count > 0 && open.length < most) {
      const room = { ...shape }
      const taken = Math.min(count, each)
      take(room, need, taken)
      open.push(room)
      count -= taken
    }
  }
  return open.length
}

/** How many of a size a room can take. */
export function fits(need: Room, room: Room): number {
  const byCpu = need.cpuMhz <= 0 ? Infinity : Math.floor(room.cpuMhz / need.cpuMhz)
  const byMemory = need.memoryMiB <= 0 ? Infinity : Math.floor(room.memoryMiB / need.memoryMiB)
  return Math.max(0, Math.min(byCpu, byMemory))
}

function take(room: Room, need: Room, times: number): void {
  room.cpuMhz -= need.cpuMhz * times
  room.memoryMiB -= need.memoryMiB * times
}
