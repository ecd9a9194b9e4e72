/** What a slice of the default class reserves, the overhead of its agent included. */
import {
  AGENT_OVERHEAD,
  BUILT_IN_CLASSES,
  DEFAULT_RESOURCE_CLASS,
  toReservation,
} from '../../src/model/index.ts'

const found = BUILT_IN_CLASSES.find(({ name }) => name === DEFAULT_RESOURCE_CLASS)

const { cpuMhz, memoryMiB } = found ? toReservation(found) : AGENT_OVERHEAD

export const SLICE_CPU_MHZ = cpuMhz
export const SLICE_MEMORY_MIB = memoryMiB
