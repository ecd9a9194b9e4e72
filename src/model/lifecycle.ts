/** What the commands for hook scripts print: of drains, of hooks, and of an instance that has to go. */
import { z } from 'zod'

export const allocationView = z.object({
  id: z.string(),
  job: z.string(),
  /** As Nomad's client tells it. */
  status: z.string(),
})

/**
 * `draining`: it was asked for. `drained`: it was before. `empty`: nothing runs on it any more. `busy`:
 * something does, and the time is over. `eligible`: somebody gave it back meanwhile. `gone`: Nomad does
 * not know it any more. `undrained`: it takes work again. `planned`: a dry run did nothing.
 */
export const DRAIN_OUTCOMES = [
  'draining',
  'drained',
  'empty',
  'busy',
  'eligible',
  'gone',
  'undrained',
  'planned',
] as const

/** One line for each node of `caravan fleet drain` and `fleet undrain`. */
export const drainReport = z.object({
  node_id: z.string(),
  node_name: z.string(),
  instance: z.string().nullable(),
  outcome: z.enum(DRAIN_OUTCOMES),
  /** What still runs; those of system jobs are left out. */
  allocations: z.array(allocationView),
})
export type DrainReport = z.infer<typeof drainReport>

/**
 * What `caravan fleet complete` did. `completed`: the instance goes on. `over`: there was no action to
 * complete. `refused`: something still runs on it. `planned`: a dry run did nothing.
 */
export const completeReport = z.object({
  instance: z.string(),
  group: z.string(),
  hook: z.string(),
  result: z.enum(['CONTINUE', 'ABANDON']),
  outcome: z.enum(['completed', 'over', 'refused', 'planned']),
  allocations: z.array(allocationView),
})
export type CompleteReport = z.infer<typeof completeReport>

/** What `caravan fleet lifecycle --json` prints, a line each. */
export const lifecycleEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ready'),
    at: z.iso.datetime(),
    instance: z.string(),
    region: z.string(),
  }),
  /** What Auto Scaling wants of the instance now; null in no group. */
  z.object({ type: z.literal('target'), at: z.iso.datetime(), state: z.string().nullable() }),
  z.object({
    type: z.literal('spot_notice'),
    at: z.iso.datetime(),
    action: z.string(),
    /** When EC2 takes it. */
    when: z.iso.datetime(),
  }),
  /** EC2 recommends to replace it, since then. */
  z.object({ type: z.literal('rebalance'), at: z.iso.datetime(), since: z.iso.datetime() }),
  z.object({ type: z.literal('drain'), at: z.iso.datetime(), node_id: z.string() }),
  z.object({
    type: z.literal('left'),
    at: z.iso.datetime(),
    allocations: z.array(allocationView),
  }),
  z.object({
    type: z.literal('beat'),
    at: z.iso.datetime(),
    hook: z.string(),
    /** Until the hook ends, whatever is beaten. */
    cap_seconds: z.number(),
  }),
  /** So much of the time that heartbeats can give is over. */
  z.object({
    type: z.literal('cap'),
    at: z.iso.datetime(),
    hook: z.string(),
    share: z.number(),
    cap_seconds: z.number(),
  }),
  /** The group waits no longer, whatever still runs; its state of the instance, null in no group. */
  z.object({ type: z.literal('lapsed'), at: z.iso.datetime(), state: z.string().nullable() }),
  z.object({ type: z.literal('empty'), at: z.iso.datetime() }),
  z.object({
    type: z.literal('completed'),
    at: z.iso.datetime(),
    hook: z.string(),
    /** False when there was no action any more. */
    accepted: z.boolean(),
  }),
  z.object({ type: z.literal('undrain'), at: z.iso.datetime(), node_id: z.string() }),
  /** It is tried again; told once until it is over. */
  z.object({
    type: z.literal('trouble'),
    at: z.iso.datetime(),
    with: z.string(),
    message: z.string(),
  }),
])
export type LifecycleEvent = z.infer<typeof lifecycleEvent>

/** What `caravan fleet tick --json` prints for polling runners. */
export const runnerTick = z.object({
  group: z.string(),
  /** Tasks that wait, and those that run. */
  unclaimed: z.number().int(),
  running: z.number().int(),
  max: z.number().int(),
  /** What the group was told, or would be. */
  desired: z.number().int(),
  dry_run: z.boolean(),
})
export type RunnerTick = z.infer<typeof runnerTick>
