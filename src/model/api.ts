/** The shapes of the HTTP API for people and scripts, which are the shapes of `--json` too. */
import { z } from 'zod'
import { source } from './job-spec.ts'
import { REASON_NAMES } from './reasons.ts'
import { BUILD_STATES, SLICE_STATES, STEP_STATES } from './states.ts'

const time = z.iso.datetime().nullable()

export const errorBody = z.object({
  /** A code of the error catalogue, or of the agent's refusals. */
  error: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
})
export type ErrorBody = z.infer<typeof errorBody>

const noNul = (text: string) => !text.includes('\0')

const label = z.string().min(1).max(200).refine(noNul, 'must not hold a NUL character')

export const buildRequest = z.object({
  /** Text of the configuration file; what the compiler reads of it is less. */
  config: z.string().max(1_000_000),
  /** Its name, for messages. */
  config_file: z.string().max(4096).default('.circleci/config.yml'),
  /** Which job; may be left out when there is only one. */
  job: z.string().max(1000).optional(),
  /** Overrides the job's own. */
  parallelism: z.number().int().min(1).max(1000).optional(),
  org: label,
  repo: label,
  branch: label,
  sha: z.string().max(64).refine(noNul, 'must not hold a NUL character').default(''),
  source: source.default({ kind: 'none' }),
  priority: z.number().int().min(1).max(100).default(50),
  /** `host`: steps that the job wants in a container run on the Nomad client itself. */
  executor: z.enum(['configured', 'host']).default('configured'),
})
export type BuildRequest = z.infer<typeof buildRequest>
export type BuildRequestInput = z.input<typeof buildRequest>

export const stepView = z.object({
  index: z.number().int(),
  name: z.string(),
  /** Whether later steps run beside it. */
  background: z.boolean(),
  state: z.enum(STEP_STATES),
  exit_code: z.number().int().nullable(),
  signal: z.string().nullable(),
  reason: z.enum(REASON_NAMES).nullable(),
  seconds: z.number().nullable(),
  /** Bytes of output: what the agent says the step wrote, and what the server holds of it. */
  output: z.object({ length: z.number().int().nullable(), have: z.number().int() }),
})
export type StepView = z.infer<typeof stepView>

/** One try at a slice that another one has followed. */
export const attemptView = z.object({
  epoch: z.number().int(),
  nomad_job_id: z.string(),
  allocation_id: z.string().nullable(),
  node_name: z.string().nullable(),
  reason: z.enum(REASON_NAMES),
  /** One sentence on how it ended. */
  detail: z.string(),
  started_at: time,
  finished_at: time,
  seconds: z.number().nullable(),
  steps: z.array(stepView),
})
export type AttemptView = z.infer<typeof attemptView>

/** What people should know beside what steps wrote. */
export const noticeView = z.object({
  at: time,
  epoch: z.number().int(),
  step: z.number().int().nullable(),
  text: z.string(),
})
export type NoticeView = z.infer<typeof noticeView>

export const sliceView = z.object({
  index: z.number().int(),
  epoch: z.number().int(),
  nomad_job_id: z.string(),
  allocation_id: z.string().nullable(),
  node_name: z.string().nullable(),
  state: z.enum(SLICE_STATES),
  reason: z.enum(REASON_NAMES).nullable(),
  /** One sentence: why it waits, or how it ended. */
  detail: z.string(),
  seconds: z.number().nullable(),
  steps: z.array(stepView),
  /** Oldest first; the slice itself shows the last attempt. */
  earlier_attempts: z.array(attemptView),
  /** Oldest first; the newest of all epochs. */
  notices: z.array(noticeView),
})
export type SliceView = z.infer<typeof sliceView>

export const buildSummary = z.object({
  id: z.string(),
  number: z.number().int(),
  org: z.string(),
  repo: z.string(),
  branch: z.string(),
  sha: z.string(),
  job: z.string(),
  parallelism: z.number().int(),
  resource_class: z.string(),
  state: z.enum(BUILD_STATES),
  reason: z.enum(REASON_NAMES).nullable(),
  created_at: time,
  started_at: time,
  finished_at: time,
  seconds: z.number().nullable(),
  /** Number of the build that this one runs again. */
  rerun_of: z.number().int().nullable(),
})
export type BuildSummary = z.infer<typeof buildSummary>

export const buildView = buildSummary.extend({
  warnings: z.array(z.string()),
  slices: z.array(sliceView),
})
export type BuildView = z.infer<typeof buildView>

export const buildList = z.object({
  builds: z.array(buildSummary),
  next_cursor: z.string().nullable(),
})
export const sourceAnswer = z.object({ id: z.string() })

/** On every answer, so that a client of another version can say so when it does not understand one. */
export const VERSION_HEADER = 'caravan-version'

export const healthAnswer = z.object({
  status: z.enum(['ok', 'failing']),
  version: z.string(),
  /** Of agents; servers of the first one do not tell it. */
  protocols: z.object({ oldest: z.number().int(), newest: z.number().int() }).optional(),
  /** What is wrong, a sentence each. */
  reasons: z.array(z.string()),
})
export type HealthAnswer = z.infer<typeof healthAnswer>

/** One slice as Nomad would get it: the variables, the rendered job, and what is added beside it. */
export const renderedSlice = z.object({
  vars: z.record(z.string(), z.unknown()),
  job: z.record(z.string(), z.unknown()),
  added: z.record(z.string(), z.unknown()),
})
export type RenderedSlice = z.infer<typeof renderedSlice>
export const dryRunAnswer = z.object({
  slices: z.array(renderedSlice),
  warnings: z.array(z.string()),
})
export type DryRunAnswer = z.infer<typeof dryRunAnswer>

/**
 * What `GET /api/v1/builds/:id/follow` sends as Server-Sent Events; the event's name is its `type`.
 * The stream opens with a `build`, then tells every change, and ends after a `build` in a final state.
 */
export const followEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('build'), build: buildView }),
  z.object({ type: z.literal('slice'), slice: sliceView.omit({ steps: true, notices: true }) }),
  z.object({ type: z.literal('step'), slice: z.number().int(), step: stepView }),
  z.object({ type: z.literal('notice'), slice: z.number().int(), text: z.string() }),
  z.object({
    type: z.literal('output'),
    slice: z.number().int(),
    step: z.number().int(),
    offset: z.number().int(),
    /** Base64: steps write bytes, not text. */
    data: z.string(),
  }),
])
export type FollowEvent = z.infer<typeof followEvent>
