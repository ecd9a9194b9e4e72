/** How notes and reasons say numbers. Pure. */
import { formatDuration, MHZ_PER_VCPU } from '../../model/index.ts'
import type { Room } from '../ports.ts'

/** `1 slice`, `2 slices`. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`
}

/** `5 vCPU and 8704 MiB`. */
export function inUnits({ cpuMhz, memoryMiB }: Room): string {
  return `${cpuMhz / MHZ_PER_VCPU} vCPU and ${memoryMiB} MiB`
}

/** In whole seconds below ten minutes, else in whole minutes: a note that changes all the time is stored all the time. */
export function lasting(ms: number): string {
  const unit = ms < 10 * 60_000 ? 1000 : 60_000
  return formatDuration(Math.max(0, Math.round(ms / unit) * unit)).replace(/(m)0s$/, '$1')
}

/** A time that is the same text in each tick. */
export function atTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
