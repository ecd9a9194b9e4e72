/** What can be done to a job: register, stop, look at again. */
import type { Clock, RandomSource } from '../../../platform/index.ts'
import { completeJob } from '../jobs/defaults.ts'
import type { CompleteJob } from '../jobs/defaults.ts'
import { checkJob, toMultiError } from '../jobs/validate.ts'
import { isSpecificationChanged } from '../jobs/changes.ts'
import { isClientTerminal } from '../objects/allocation.ts'
import { createEvaluation } from '../objects/evaluation.ts'
import type { Evaluation } from '../objects/evaluation.ts'
import type { Job, JobSpecification, Submission } from '../objects/job.ts'
import { toNanoseconds } from '../objects/values.ts'
import { SETTING_KEY, toJobKey, toSubmissionKey } from '../state/rows.ts'
import type { Write } from '../state/rows.ts'
import type { State } from '../state/state.ts'
import { Refusal } from './refusal.ts'

export interface Core {
  state: State
  clock: Clock
  random: RandomSource
}

export interface Registration {
  specification: JobSpecification
  /** Register only when the stored job has this index; 0 means that there must be none. */
  enforceIndex: number | null
  evaluationPriority: number
  submission: Submission | null
}

export interface JobOutcome {
  evaluationId: string
  index: number
  jobModifyIndex: number
}

/** The only namespace there is. */
export const NAMESPACE = 'default'
export const REGION = 'global'

/** Registering what is stored already only makes a new evaluation. @throws Refusal */
export function registerJob(core: Core, registration: Registration): JobOutcome {
  const { state, clock } = core
  const asked = checkRegistration(core, registration.specification)
  const key = toJobKey(asked)
  const stored = state.tables.job.get(key)
  if (registration.enforceIndex !== null) checkIndex(registration.enforceIndex, stored)
  const index = state.index + 1
  if (stored && !stored.Stop && !isSpecificationChanged(stored, asked)) {
    const evaluation = evaluate(core, stored, 'job-register', registration.evaluationPriority)
    state.commit('EvaluationUpdated', [put(evaluation)])
    return { evaluationId: evaluation.ID, index, jobModifyIndex: stored.ModifyIndex }
  }
  const job: Job = {
    ...asked,
    Stop: false,
    Stable: false,
    Status: 'pending',
    StatusDescription: '',
    Version: stored === undefined ? 0 : stored.Version + 1,
    SubmitTime: toNanoseconds(clock.now()),
    NomadTokenID: '',
    CreateIndex: stored?.CreateIndex ?? 0,
    ModifyIndex: 0,
    JobModifyIndex: index,
  }
  const evaluation = {
    ...evaluate(core, job, 'job-register', registration.evaluationPriority),
    JobModifyIndex: index,
  }
  const writes: Write[] = [{ table: 'job', key, put: job }, put(evaluation)]
  if (registration.submission?.Source) {
    writes.push(keepSubmission(key, job.Version, registration.submission))
    const oldest = state.indexes.versions(key).at(-1)?.Version ?? 0
    if (job.Version > 0) writes.push(...dropSubmissions(state, key, oldest - 1))
  }
  state.commit('JobRegistered', writes)
  return { evaluationId: evaluation.ID, index, jobModifyIndex: index }
}

/** @returns what is wrong with the job, and nothing when it could be registered. */
export function validateJob(core: Core, specification: JobSpecification): string[] {
  const job = completeJob(specification)
  return [...checkJob(job), ...checkPlace(core, job)]
}

/** @returns null when there is no such job, which is no error. */
export function deregisterJob(
  core: Core,
  key: string,
  options: { purge: boolean; evaluationPriority: number },
): JobOutcome | null {
  const { state } = core
  const job = state.tables.job.get(key)
  if (job === undefined) return null
  const index = state.index + 1
  // Nomad looks at a stopped job with its service scheduler, whatever the job's own type.
  const evaluation = {
    ...evaluate(core, job, 'job-deregister', options.evaluationPriority),
    Type: 'service',
    JobModifyIndex: index,
  }
  const stop: Write[] = options.purge
    ? [
        { table: 'job', key, drop: true },
        ...dropSubmissions(state, key, Number.MAX_SAFE_INTEGER),
        ...dropFinished(state, key),
      ]
    : [
        {
          table: 'job',
          key,
          put: { ...job, Stop: true, Version: job.Version + 1, JobModifyIndex: index },
        },
      ]
  state.commit('JobDeregistered', [...stop, put(evaluation)])
  return { evaluationId: evaluation.ID, index, jobModifyIndex: index }
}

/** @throws Refusal when there is no such job. */
export function evaluateJob(core: Core, key: string): JobOutcome {
  const job = core.state.tables.job.get(key)
  if (job === undefined) throw new Refusal(500, 'job not found')
  const evaluation = evaluate(core, job, 'job-register', 0)
  const index = core.state.commit('EvaluationUpdated', [put(evaluation)])
  return { evaluationId: evaluation.ID, index, jobModifyIndex: job.ModifyIndex }
}

function checkRegistration(core: Core, specification: JobSpecification): CompleteJob {
  if (core.state.tables.setting.get(SETTING_KEY)?.RejectJobRegistration) {
    throw new Refusal(
      403,
      'Job registration, dispatch, and scale are disabled by the scheduler configuration',
    )
  }
  if (specification.Region !== REGION) throw new Refusal(500, 'No path to region')
  const job = completeJob(specification)
  const faults = checkJob(job)
  if (faults.length > 0) throw new Refusal(500, toMultiError(faults))
  const misplaced = checkPlace(core, job)
  if (misplaced.length > 0) throw new Refusal(500, toMultiError(misplaced))
  return job
}

function checkPlace(core: Core, job: CompleteJob): string[] {
  const faults: string[] = []
  if (job.Namespace !== NAMESPACE) {
    faults.push(`job "${job.ID}" is in nonexistent namespace "${job.Namespace}"`)
  }
  if (core.state.tables.pool.get(job.NodePool) === undefined) {
    faults.push(`job "${job.ID}" is in nonexistent node pool "${job.NodePool}"`)
  }
  return faults
}

function checkIndex(wanted: number, stored: Job | undefined): void {
  const refuse = (why: string) => {
    throw new Refusal(500, `Enforcing job modify index ${wanted}: ${why}`)
  }
  if (stored === undefined) {
    if (wanted !== 0) refuse('job does not exist')
  } else if (wanted === 0) refuse('job already exists')
  else if (wanted !== stored.JobModifyIndex) {
    refuse(`job exists with conflicting job modify index: ${stored.JobModifyIndex}`)
  }
}

function evaluate(core: Core, job: Job, trigger: string, priority: number): Evaluation {
  const context = { nowMs: core.clock.now(), random: core.random }
  return createEvaluation(job, trigger, context, priority > 0 ? { Priority: priority } : {})
}

function put(evaluation: Evaluation): Write {
  return { table: 'evaluation', key: evaluation.ID, put: evaluation }
}

function keepSubmission(key: string, version: number, submission: Submission): Write {
  const row = { ...submission, JobKey: key, Version: version }
  return { table: 'submission', key: toSubmissionKey(key, version), put: row }
}

/** What is over goes with its job. */
function dropFinished(state: State, jobKey: string): Write[] {
  const { allocations, evaluations } = state.indexes.ofJob(jobKey)
  const drop = (table: 'allocation' | 'evaluation', key: string): Write => ({
    table,
    key,
    drop: true,
  })
  return [
    ...[...allocations]
      .filter((id) => isClientTerminal(state.tables.allocation.get(id) ?? OVER))
      .map((id) => drop('allocation', id)),
    ...[...evaluations]
      .filter((id) => !state.indexes.pending.has(id) && !state.indexes.blocked.has(id))
      .map((id) => drop('evaluation', id)),
  ]
}

const OVER = { ClientStatus: 'complete' } as const

/** Texts of this version and the ones before it. */
function dropSubmissions(state: State, jobKey: string, version: number): Write[] {
  return [...state.tables.submission.startingWith(`${jobKey}\0`)]
    .filter((row) => row.Version <= version)
    .map((row) => ({
      table: 'submission',
      key: toSubmissionKey(jobKey, row.Version),
      drop: true as const,
    }))
}
