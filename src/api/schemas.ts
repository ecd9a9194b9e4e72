/** Schemas that only the HTTP surface needs, and the names that OpenAPI gives to the shared ones. */
import { z } from 'zod'
import {
  agentEvent,
  attemptView,
  buildRequest,
  buildSummary,
  buildView,
  claimAnswer,
  claimRequest,
  control,
  errorBody,
  followEvent,
  healthAnswer,
  noticeView,
  renderedSlice,
  type SliceKey,
  sliceView,
  stepView,
  task,
  tokenRequest,
  tokenView,
  createdToken,
  demandAnswer,
  demandClass,
  demandEvent,
  demandSlice,
} from '../model/index.ts'

const SLICES_MAX = 100_000
const COUNT_MAX = Number.MAX_SAFE_INTEGER

export const refParams = z.object({ ref: z.string().describe('A build id, or a build number.') })

export const stepParams = refParams.extend({
  slice: z.coerce.number().int().min(0).max(SLICES_MAX),
  step: z.coerce.number().int().min(0).max(SLICES_MAX),
})

export const agentParams = z.object({
  slice: z
    .string()
    .regex(/^[0-9a-f]{24}-(?:0|[1-9]\d{0,4})$/, 'is not of the form <build id>-<slice>')
    .transform((text) => text as SliceKey),
  epoch: z.coerce.number().int().min(1).max(COUNT_MAX),
})

export const tokenParams = z.object({ id: z.string().describe('As the list shows it.') })

export const pageQuery = z.object({
  cursor: z.string().max(200).optional().describe('As handed out by the page before.'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

/** `true` or `false` in a query; anything else is a mistake worth telling. */
const flag = z.enum(['true', 'false']).transform((text) => text === 'true')

export const submitQuery = z.object({ dry_run: flag.prefault('false') })
export const rerunQuery = z.object({ failed: flag.prefault('false') })
export const followQuery = z.object({ output: flag.prefault('true') })
export const demandQuery = z.object({ slices: flag.prefault('true') })

export const rangeQuery = z.object({
  epoch: z.coerce.number().int().min(1).max(COUNT_MAX).optional(),
  offset: z.coerce.number().int().min(0).max(COUNT_MAX).optional(),
  length: z.coerce.number().int().min(0).max(COUNT_MAX).optional(),
})

/** Part of every route's answers. */
export const errorAnswers = { '4xx': errorBody, '5xx': errorBody }

export const bytesSchema = z.unknown().meta({ type: 'string', format: 'binary' })

/** Describes an answer that is no JSON. */
export function answersWith(contentType: string, schema: z.ZodType, description: string) {
  return { 200: { description, content: { [contentType]: { schema } } }, ...errorAnswers }
}

/** Shapes that OpenAPI names once and refers to. */
export const namedSchemas = z.registry<{ id: string }>()
const names = {
  AgentEvent: agentEvent,
  Attempt: attemptView,
  Build: buildView,
  BuildRequest: buildRequest,
  BuildSummary: buildSummary,
  ClaimAnswer: claimAnswer,
  ClaimRequest: claimRequest,
  Control: control,
  CreatedToken: createdToken,
  Demand: demandAnswer,
  DemandClass: demandClass,
  DemandEvent: demandEvent,
  DemandSlice: demandSlice,
  Error: errorBody,
  FollowEvent: followEvent,
  Health: healthAnswer,
  Notice: noticeView,
  RenderedSlice: renderedSlice,
  Slice: sliceView,
  Step: stepView,
  Task: task,
  Token: tokenView,
  TokenRequest: tokenRequest,
}
for (const [id, schema] of Object.entries(names)) namedSchemas.add(schema, { id })
