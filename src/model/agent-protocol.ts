/**
 * What build-agent and scheduler say to each other. Version 1. What an agent sends stands in
 * `agent-calls.ts`: only servers check it, and an agent starts faster without.
 *
 * Every path stands under `/api/v1/agent/<build id>-<slice>/<epoch>/` and every call but `claim` carries
 * the session as its bearer token. An epoch older than the current one is answered with 409 `fenced`
 * and nothing it sent is kept.
 *
 * - `POST claim`: the claim token for a session and the task. Repeating the same `claim_id` gives the
 *   same answer, so a lost answer does no harm; another `claim_id` is refused as `taken`.
 * - `POST accept`: before it, nothing the user can see has happened and the slice may be given away.
 * - `POST events`: one ordered log per epoch, `seq` from 1. The answer names the last one applied.
 * - `POST output?step&attempt&offset`: masked bytes. The answer always says how many the server has.
 * - `GET control?seen&wait_ms`: one long poll; returns early when the control version passes `seen`.
 * - `GET why`: asked after a signal, which carries no reason of its own.
 * - `GET source`: the bytes of the git bundle.
 */
import { z } from 'zod'
import { environment, executorSpec, source, stepSpec } from './job-spec.ts'
import { REASON_NAMES } from './reasons.ts'

export const PROTOCOL_VERSION = 1

/**
 * The most that one `output` call may carry; a claim may allow less. Large enough that a backlog
 * drains at the speed of the network, small enough that a server can hold one for every agent at once.
 */
export const OUTPUT_CHUNK_BYTES_MAX = 4 * 1024 * 1024

/** What the server wants of a running agent. `version` grows with every change. */
export const control = z.object({
  version: z.number().int(),
  action: z.enum(['none', 'cancel', 'abort']),
  /** Why, when the action is not `none`. */
  reason: z.enum(REASON_NAMES).optional(),
  /** How long the agent may gather output before it sends. */
  flush_ms: z.number().int().positive(),
  /** Values to mask from now on. */
  mask: z.array(z.string()).default([]),
})
export type Control = z.infer<typeof control>

export const task = z.object({
  build: z.object({
    id: z.string(),
    number: z.number().int(),
    org: z.string(),
    repo: z.string(),
    branch: z.string(),
    sha: z.string(),
    job: z.string(),
  }),
  slice: z.object({ index: z.number().int(), total: z.number().int() }),
  source,
  executor: executorSpec,
  /** Of the resource class, for all containers of the slice together. */
  resources: z
    .object({
      vcpu: z.number().positive(),
      memory_mib: z.number().int().positive(),
      pids: z.number().int().positive(),
    })
    .optional(),
  /** For what runs in containers. The settings of the node stand in for what is absent. */
  proxy: z
    .object({
      http: z.string().optional(),
      https: z.string().optional(),
      direct: z.array(z.string()).optional(),
    })
    .optional(),
  /** Weakest first: each layer overwrites the ones before it. Step environments come after all. */
  environment: z.array(z.object({ layer: z.string(), values: environment })),
  working_directory: z.string(),
  shell: z.string().optional(),
  steps: z.array(stepSpec),
  /** Values that must not leave the agent. */
  mask: z.array(z.string()),
  limits: z.object({
    max_run_time_ms: z.number().int().positive(),
    output_bytes: z.number().int().positive(),
    /** The agent stops its own steps after this long without the server. */
    orphan_ms: z.number().int().positive(),
    /** From the signal that ends the agent to its kill, when the Nomad job says so. */
    kill_timeout_ms: z.number().int().positive().optional(),
  }),
})
export type Task = z.infer<typeof task>

export const claimAnswer = z.object({
  session: z.string(),
  /** The newest that both speak, which both speak from here on; absent, it is 1. */
  protocol: z.number().int().optional(),
  lease_ms: z.number().int().positive(),
  server_time_ms: z.number().int(),
  /** Largest body that `output` takes. */
  chunk_bytes: z.number().int().positive(),
  control,
  task,
})
export type ClaimAnswer = z.infer<typeof claimAnswer>

/** Error codes in `error` of a refused agent call, with their HTTP status. */
export const AGENT_REFUSALS = {
  /** Another process claimed this epoch. */
  taken: 409,
  /** A newer epoch exists, or the slice is over. */
  fenced: 409,
  /** The allocation is not (yet) the one Nomad shows for the job: ask again. */
  not_ready: 503,
  bad_token: 403,
  protocol: 426,
} as const
export type AgentRefusal = keyof typeof AGENT_REFUSALS

export const eventsAnswer = z.object({ applied: z.number().int(), control })
export const outputAnswer = z.object({ have: z.number().int(), control })
export const controlAnswer = z.object({ control })

/** Exit codes of the agent process: Nomad shows them to operators, nothing else reads them. */
export const AGENT_EXIT = {
  finished: 0,
  taken: 10,
  notReady: 11,
  fenced: 12,
  protocol: 13,
  beforeAccept: 20,
  afterAccept: 21,
  notAcknowledged: 30,
  signaled: 143,
} as const
