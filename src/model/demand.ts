/** What the cluster is asked for, and by when: the shapes of `GET /api/v1/demand` and its stream. */
import { z } from 'zod'

/**
 * Quantiles of how long earlier slices of the same job ran, in seconds: of a slice that waits, for its
 * whole run; of one that runs, for what is left of it, given that it has come this far.
 */
export const prediction = z.object({
  p50: z.number(),
  p80: z.number(),
  p95: z.number(),
  /** How many earlier slices say so. */
  samples: z.number().int(),
})
export type Prediction = z.infer<typeof prediction>

/** Of a slice without a result: it waits in our queue, or for Nomad or its agent, or it runs. */
export const DEMAND_STATES = ['waiting', 'placing', 'running'] as const
export type DemandState = (typeof DEMAND_STATES)[number]

export const demandSlice = z.object({
  /** `<build id>-<slice>`. */
  slice: z.string(),
  epoch: z.number().int(),
  resource_class: z.string(),
  priority: z.number().int(),
  /**
   * `waiting`: in our queue. `placing`: handed to Nomad, its agent has not begun. `running`: user
   * commands run, or their last output is on its way.
   */
  state: z.enum(DEMAND_STATES),
  /** Where Nomad has placed it. */
  node_id: z.string().nullable(),
  /** Since it could have begun, or since it began to run. */
  age_seconds: z.number(),
  /** Null while no slice of the job has ended, or when it runs longer than all that have. */
  predicted: prediction.nullable(),
})
export type DemandSlice = z.infer<typeof demandSlice>

export const demandClass = z.object({
  resource_class: z.string(),
  /** Of the fleet, that grows for this class. */
  pool: z.string().nullable(),
  /** All that may, in order of preference, `pool` first; left out by servers that know of one only. */
  pools: z.array(z.string()).optional(),
  node_class: z.string().nullable(),
  /** What one slice reserves of a node, agent included; null for a class the settings do not have any more. */
  reservation: z.object({ cpu_mhz: z.number().int(), memory_mib: z.number().int() }).nullable(),
  waiting: z.number().int(),
  placing: z.number().int(),
  running: z.number().int(),
  /** Of those that wait or are being placed; 0 without any. */
  oldest_waiting_seconds: z.number(),
  longest_running_seconds: z.number(),
})
export type DemandClass = z.infer<typeof demandClass>

/** Times are told as ages, so that it does not matter whose clock is right. */
export const demandAnswer = z.object({
  at: z.iso.datetime(),
  /** Every class there is, also with nothing in it. */
  classes: z.array(demandClass),
  /** Those that run first, then highest priority and oldest first; left out when not asked for. */
  slices: z.array(demandSlice),
  /** Slices beyond the most that are listed; the classes count them, too. */
  omitted: z.number().int(),
})
export type DemandAnswer = z.infer<typeof demandAnswer>

/**
 * What `GET /api/v1/demand/follow` sends as Server-Sent Events; the event's name is its `type`. The
 * stream opens with a `demand`, tells what changed from then on, and ends only with the server. A
 * reader that lost the line opens a new one, and begins again from its `demand`.
 */
export const demandEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('demand'), demand: demandAnswer }),
  z.object({
    type: z.literal('changes'),
    at: z.iso.datetime(),
    classes: z.array(demandClass),
    /** As they are now. */
    slices: z.array(demandSlice),
    /** Slices that want nothing any more. */
    gone: z.array(z.string()),
  }),
])
export type DemandEvent = z.infer<typeof demandEvent>
