/** What the commands of the fleet's controller print with `--json`. */
import { z } from 'zod'

const action = z.object({
  /** `set_desired`, `cordon`, `uncordon`, `drain`, `terminate`, `complete`, ... or `report`. */
  kind: z.string(),
  /** Instance, node or group. */
  about: z.string(),
  reason: z.string(),
})

/** Why a pool is as it is. */
export const poolWhy = z.object({
  pool: z.string(),
  /** What the group has been told to have, and what it is led to. */
  desired: z.number().int(),
  target: z.number().int(),
  /** Of pool and group, whichever is narrower. */
  min: z.number().int(),
  max: z.number().int(),
  /** Slices that wait, by resource class. */
  demand: z.record(z.string(), z.number().int()),
  /** Machines, by what they count as. */
  ledger: z.record(z.string(), z.number().int()),
  notes: z.array(z.string()),
  actions: z.array(action),
})

/** One line for each tick of `caravan fleet explain`, newest first. */
export const fleetExplanation = z.object({
  at: z.iso.datetime(),
  /** Which controller: grows with each one that takes over. */
  fence: z.number().int(),
  pools: z.array(poolWhy),
})
export type FleetExplanation = z.infer<typeof fleetExplanation>

/** `caravan fleet tick`, and each line of `caravan fleet run --json`. */
export const fleetTick = z.object({
  at: z.iso.datetime(),
  /** `leased`: another controller acts. `planned`: a dry run. */
  outcome: z.enum(['acted', 'planned', 'leased']),
  holder: z.string().nullable(),
  pools: z.array(poolWhy),
  done: z.array(
    z.object({
      kind: z.string(),
      about: z.string(),
      outcome: z.enum(['done', 'refused', 'unknown']),
      text: z.string(),
    }),
  ),
  /** What could not be read. */
  faults: z.array(z.string()),
})
export type FleetTick = z.infer<typeof fleetTick>

const node = z.object({
  instance: z.string(),
  pool: z.string(),
  state: z.string(),
  /** For how long. */
  state_seconds: z.number(),
  /** Since its launch; null while EC2 has not told. */
  age_seconds: z.number().nullable(),
  zone: z.string(),
  node_id: z.string().nullable(),
  slices: z.number().int(),
  protected: z.boolean(),
  /** Why it is nobody's victim; null when it may go. */
  pinned: z.string().nullable(),
  /** Since it takes nothing new, or waits for its hook; null otherwise. */
  draining_seconds: z.number().nullable(),
  /** Until Auto Scaling goes on whatever runs; null without an open hook. */
  cap_seconds: z.number().nullable(),
})

export const fleetStatus = z.object({
  at: z.iso.datetime(),
  controller: z
    .object({ holder: z.string(), fence: z.number().int(), alive: z.boolean() })
    .nullable(),
  pools: z.array(poolWhy),
  nodes: z.array(node),
  alarms: z.array(z.string()),
  faults: z.array(z.string()),
})
export type FleetStatus = z.infer<typeof fleetStatus>

export const fleetOrder = z.object({
  /** A pool, or a node. */
  about: z.string(),
  /** Nodes that the pool has at least; null for a pin. */
  size: z.number().int().nullable(),
  /** Null when it was taken back. */
  until: z.iso.datetime().nullable(),
  outcome: z.enum(['stored', 'removed', 'planned']),
  /** Whether a controller is there to carry it out. */
  controller: z.boolean(),
})
export type FleetOrder = z.infer<typeof fleetOrder>
