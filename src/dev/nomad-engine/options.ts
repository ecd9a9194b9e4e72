/** What the engine is told at start. */
import type { Clock, Log, RandomSource } from '../../platform/index.ts'
import { AGENT_OVERHEAD, BUILT_IN_CLASSES, DEFAULT_RESOURCE_CLASS } from '../../model/index.ts'
import { toReservation } from '../../model/index.ts'
import type { Intercept } from './http/server.ts'
import type { Job } from './objects/job.ts'

/** How a simulated node plays the tasks of a job, in the words of Nomad's mock driver. */
export interface SimulatedTask {
  /** Nanoseconds, or a text such as `2s`. */
  run_for?: number | string
  exit_code?: number
  start_error?: string
  kill_after?: number | string
}

export interface EngineNodeOptions {
  /** Names a node for good: one that is known already is taken up again. */
  name?: string
  nodeClass?: string
  datacenter?: string
  nodePool?: string
  cpuMhz?: number
  memoryMiB?: number
  diskMiB?: number
  meta?: Record<string, string>
  attributes?: Record<string, string>
  /** Plays every task instead of running it. */
  simulate?: (job: Job) => SimulatedTask
}

export interface EngineOptions {
  /** Default `127.0.0.1`: the engine runs whatever it is sent, as the user who started it. */
  host?: string
  /** 0 takes a free one. */
  port: number
  /** State, allocations and their logs live here. */
  dataDir: string
  clock: Clock
  random: RandomSource
  log: Log
  /** What tasks inherit, as from the process of a Nomad client. */
  environment: Readonly<Record<string, string | undefined>>
  /** One node of the default size when absent. */
  nodes?: readonly EngineNodeOptions[]
  /** Stands around every call of the API: for tests that lose, delay or fail answers. */
  intercept?: Intercept
}

/**
 * A machine that runs builds in the engine promises this many slices of the default class at once, and
 * leaves it to its operating system to share what there really is: waiting for slots would teach nothing
 * on a laptop.
 */
const SLOTS = 128

/** Ephemeral disk of an allocation when its job names none. */
const DISK_MIB = 300

export function completeNodeOptions(options: EngineNodeOptions, index: number) {
  const slot = slotOfDefaultClass()
  return {
    name: options.name ?? (index === 0 ? 'dev' : `dev-${index + 1}`),
    nodeClass: options.nodeClass ?? 'linux-64bit',
    datacenter: options.datacenter ?? 'dc1',
    nodePool: options.nodePool ?? 'default',
    cpuMhz: options.cpuMhz ?? SLOTS * slot.cpuMhz,
    memoryMiB: options.memoryMiB ?? SLOTS * slot.memoryMiB,
    diskMiB: options.diskMiB ?? SLOTS * DISK_MIB * 10,
    meta: options.meta ?? {},
    attributes: options.attributes ?? {},
    simulate: options.simulate,
  }
}
export type CompleteNodeOptions = ReturnType<typeof completeNodeOptions>

function slotOfDefaultClass(): { cpuMhz: number; memoryMiB: number } {
  const found = BUILT_IN_CLASSES.find((each) => each.name === DEFAULT_RESOURCE_CLASS)
  return found ? toReservation(found) : AGENT_OVERHEAD
}
