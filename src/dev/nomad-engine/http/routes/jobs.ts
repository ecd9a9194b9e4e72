/** Calls about jobs. */
import { z } from 'zod'
import { jobSchema, submissionSchema } from '../../objects/job.ts'
import type { Job } from '../../objects/job.ts'
import { toJobStub } from '../../objects/views.ts'
import { deregisterJob, evaluateJob, registerJob, validateJob } from '../../operations/jobs.ts'
import type { Core, JobOutcome } from '../../operations/jobs.ts'
import { toMultiError } from '../../jobs/validate.ts'
import { Refusal } from '../../operations/refusal.ts'
import { toJobKey } from '../../state/rows.ts'
import { summarizeJob } from '../../state/summary.ts'
import {
  ALL_NAMESPACES,
  json,
  namespaceOf,
  readBody,
  readFlag,
  readInteger,
  written,
} from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'
import { byKey, toPage } from '../page.ts'
import { read } from '../read.ts'
import type { ReadDeps } from '../read.ts'

type Deps = Core & ReadDeps

const registerBody = z.object({
  Job: z.unknown().optional(),
  EnforceIndex: z.boolean().nullish(),
  JobModifyIndex: z.number().int().nullish(),
  EvalPriority: z.number().int().nullish(),
  Submission: submissionSchema.nullish(),
})

export function jobRoutes(deps: Deps): Routes {
  return {
    '/v1/jobs': { GET: (call) => list(deps, call), PUT: (call) => register(deps, call) },
    '/v1/job/:id': {
      GET: (call) => readJob(deps, call),
      PUT: (call) => register(deps, call),
      DELETE: (call) => deregister(deps, call),
    },
    '/v1/job/:id/evaluate': { PUT: (call) => evaluate(deps, call) },
    '/v1/job/:id/summary': { GET: (call) => readSummary(deps, call) },
    '/v1/validate/job': { PUT: (call) => validate(deps, call) },
    '/v1/node/pool/:pool/jobs': { GET: (call) => list(deps, call) },
  }
}

function register(deps: Deps, call: Call): Reply {
  const body = readBody(call, registerBody)
  const specification = readJobBody(call, body.Job)
  if (call.params['id'] !== undefined && call.params['id'] !== specification.ID) {
    throw new Refusal(400, 'Job ID does not match name')
  }
  const outcome = registerJob(deps, {
    specification,
    enforceIndex: body.EnforceIndex ? (body.JobModifyIndex ?? 0) : null,
    evaluationPriority: body.EvalPriority ?? 0,
    submission: body.Submission ?? null,
  })
  return written(call, outcome.index, { ...toOutcome(outcome), Warnings: '' })
}

/** The namespace of the call counts when the job names none. */
function readJobBody(call: Call, job: unknown) {
  if (typeof job !== 'object' || job === null) throw new Refusal(400, 'Job must be specified')
  const given = job as Record<string, unknown>
  if (!given['ID']) throw new Refusal(400, "Job ID hasn't been provided")
  const parsed = jobSchema.safeParse({
    ...given,
    Namespace: given['Namespace'] || namespaceOf(call),
  })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = ['Job', ...(issue?.path ?? [])].join('.')
  throw new Refusal(400, `json: cannot unmarshal field ${place}: ${issue?.message ?? ''}`)
}

function toOutcome({ evaluationId, index, jobModifyIndex }: JobOutcome) {
  return {
    EvalID: evaluationId,
    EvalCreateIndex: evaluationId === '' ? 0 : index,
    JobModifyIndex: jobModifyIndex,
    Index: index,
    LastContact: 0,
    KnownLeader: false,
    NextToken: '',
  }
}

function deregister(deps: Deps, call: Call): Reply {
  const fault = 'Unable to parse eval_priority'
  const evaluationPriority = readInteger(call, 'eval_priority', 0, fault)
  const purge = readFlag(call, 'purge')
  const outcome = deregisterJob(deps, keyOf(call), { purge, evaluationPriority })
  const shown = outcome ?? { evaluationId: '', index: 0, jobModifyIndex: 0 }
  return written(call, shown.index, { ...toOutcome(shown), VolumeEvalID: '', VolumeEvalIndex: 0 })
}

function evaluate(deps: Deps, call: Call): Reply {
  const outcome = evaluateJob(deps, keyOf(call))
  return written(call, outcome.index, { ...toOutcome(outcome), Warnings: '' })
}

function validate(deps: Deps, call: Call): Reply {
  const { Job } = readBody(call, registerBody)
  const faults = validateJob(deps, readJobBody(call, Job))
  return json(call, {
    DriverConfigValidated: true,
    ValidationErrors: faults.length > 0 ? faults : null,
    Error: faults.length > 0 ? toMultiError(faults) : '',
    Warnings: '',
  })
}

function list(deps: Deps, call: Call): Promise<Reply> {
  const { state } = deps
  const pool = call.params['pool']
  let headers: Record<string, string> = {}
  return read(deps, call, {
    tables: ['job', 'allocation', 'evaluation'],
    index: () => Math.max(state.tables.job.lastIndex, state.indexes.summaryIndex),
    headers: () => headers,
    value() {
      const rows = [...jobsOf(deps, call)].filter(
        (job) => pool === undefined || job.NodePool === pool,
      )
      const page = toPage(
        call,
        rows,
        byKey((job) => `${job.Namespace}.${job.ID}`),
      )
      headers = page.headers
      const options = { meta: readFlag(call, 'meta') }
      return page.rows.map((job) => toJobStub(job, summarizeJob(state, job), options))
    },
  })
}

/** Jobs of the namespace and prefix that the call names. */
export function jobsOf({ state }: Core, call: Call): Iterable<Job> {
  const namespace = namespaceOf(call)
  const prefix = call.query.get('prefix') ?? ''
  if (namespace !== ALL_NAMESPACES) {
    return state.tables.job.startingWith(toJobKey({ Namespace: namespace, ID: prefix }))
  }
  return [...state.tables.job.rows.values()].filter((job) => job.ID.startsWith(prefix))
}

function readJob(deps: Deps, call: Call): Promise<Reply> {
  const { job } = deps.state.tables
  const key = keyOf(call)
  const index = () => job.get(key)?.ModifyIndex ?? job.lastIndex
  return read(deps, call, {
    tables: ['job'],
    index,
    value() {
      const row = job.get(key)
      if (row === undefined) throw new Refusal(404, 'job not found', index())
      return row
    },
  })
}

function readSummary(deps: Deps, call: Call): Promise<Reply> {
  const { state } = deps
  const key = keyOf(call)
  const find = () => {
    const job = state.tables.job.get(key)
    return job && summarizeJob(state, job)
  }
  const index = () => find()?.ModifyIndex ?? state.indexes.summaryIndex
  return read(deps, call, {
    tables: ['job', 'allocation', 'evaluation'],
    index,
    value() {
      const summary = find()
      if (summary === undefined) throw new Refusal(404, 'job not found', index())
      return summary
    },
  })
}

/** The job a path names, in the namespace of the call. */
export function keyOf(call: Call): string {
  return toJobKey({ Namespace: namespaceOf(call), ID: call.params['id'] ?? '' })
}
