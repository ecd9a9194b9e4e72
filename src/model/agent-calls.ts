/**
 * What build-agents send, as servers check it. The protocol is told in `agent-protocol.ts`.
 */
import { z } from 'zod'
import { REASON_NAMES } from './reasons.ts'
import { RESULTS, STEP_STATES } from './states.ts'

/** Text that every store takes: PostgreSQL has no NUL. Replaced, since an agent could only send it again. */
const text = (charsMax: number) =>
  z
    .string()
    .max(charsMax)
    .overwrite((value) => value.replaceAll('\0', '\uFFFD'))

/** What a column of 32 bits holds. */
const INT_MAX = 2 ** 31 - 1

export const claimRequest = z.object({
  claim_id: text(64).min(16),
  token: z.string().max(1000),
  /** The newest that the agent speaks, and the oldest; absent, it speaks one. */
  protocol: z.number().int(),
  protocol_oldest: z.number().int().optional(),
  agent_version: text(200),
  allocation_id: text(200),
  node_id: text(200).default(''),
  node_name: text(1000).default(''),
})
export type ClaimRequest = z.infer<typeof claimRequest>

const step = {
  step: z.number().int().min(0).max(INT_MAX),
  attempt: z.number().int().min(1).max(INT_MAX).default(1),
}
const base = { seq: z.number().int().min(1).max(INT_MAX), at_ms: z.number().int() }

export const agentEvent = z.discriminatedUnion('type', [
  z.object({
    ...base,
    ...step,
    type: z.literal('step_started'),
    /** The shell line used, shown in the step's header. */
    shell: text(4096).optional(),
  }),
  z.object({
    ...base,
    ...step,
    type: z.literal('step_finished'),
    state: z.enum(STEP_STATES).exclude(['waiting', 'running']),
    exit_code: z.number().int().min(-INT_MAX).max(INT_MAX).nullable(),
    signal: text(100).nullable(),
    reason: z.enum(REASON_NAMES).nullable(),
    duration_ms: z.number().int().min(0),
    /** Masked bytes the step wrote; `dropped` of them were left out at a marked place. */
    output: z.object({
      length: z.number().int().min(0),
      sha256: text(100),
      dropped: z.number().int().min(0),
    }),
  }),
  z.object({
    ...base,
    type: z.literal('notice'),
    step: z.number().int().min(0).max(INT_MAX).optional(),
    text: text(4096),
  }),
  z.object({
    ...base,
    type: z.literal('slice_finished'),
    result: z.enum(RESULTS),
    reason: z.enum(REASON_NAMES),
    /** One sentence of detail, such as which step failed how. */
    detail: text(4096).default(''),
    /** The most output that waited on the node at one time; absent from an agent that does not know. */
    spool_peak_bytes: z.number().int().min(0).optional(),
  }),
])
export type AgentEvent = z.infer<typeof agentEvent>

export const eventsRequest = z.object({ events: z.array(agentEvent).min(1).max(256) })

export const outputQuery = z.object({
  step: z.coerce.number().int().min(0).max(INT_MAX),
  attempt: z.coerce.number().int().min(1).max(INT_MAX).default(1),
  offset: z.coerce.number().int().min(0),
})
export const controlQuery = z.object({
  seen: z.coerce.number().int().default(0),
  wait_ms: z.coerce.number().int().min(0).max(60_000).default(0),
})
