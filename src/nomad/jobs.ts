/** Calls about jobs. */
import { isCaravanError } from '../model/index.ts'
import {
  checkAllocations,
  checkEvaluations,
  checkJob,
  checkJobReceipt,
  checkJobStatuses,
  checkJobStubs,
  checkParsedJob,
} from './check.ts'
import { problemOf } from './failure.ts'
import { readPages } from './paging.ts'
import type { NomadClient, RegisterOptions, WriteReceipt } from './ports.ts'
import type { Reply, Transport } from './transport.ts'
import type { JobStatus, NomadJob } from './wire.ts'

type JobCalls = Pick<
  NomadClient,
  | 'registerJob'
  | 'readJob'
  | 'deregisterJob'
  | 'evaluateJob'
  | 'listJobs'
  | 'jobStatuses'
  | 'jobAllocations'
  | 'jobEvaluations'
  | 'parseJob'
>

/** The server looks each of them up under one lock. */
const STATUSES_MAX = 200

export function createJobCalls(transport: Transport): JobCalls {
  return {
    registerJob: (job, options) => registerJob(transport, job, options),
    async readJob(id, options) {
      const purpose = `read job ${id}`
      const call = { ...options, purpose, path: jobPath(id), check: checkJob }
      return transport.find(call)
    },
    async deregisterJob(id, { purge = false, ...options } = {}) {
      const reply = await transport.write({
        ...options,
        purpose: `deregister job ${id}`,
        method: 'DELETE',
        path: jobPath(id),
        query: purge ? { purge } : {},
        check: checkJobReceipt,
      })
      return toReceipt(reply)
    },
    async evaluateJob(id, options) {
      const reply = await transport.write({
        ...options,
        purpose: `evaluate job ${id}`,
        method: 'PUT',
        path: `${jobPath(id)}/evaluate`,
        json: { JobID: id },
        check: checkJobReceipt,
      })
      return toReceipt(reply)
    },
    listJobs({ meta, ...options } = {}) {
      const call = { purpose: 'list jobs', path: '/v1/jobs', query: { meta }, check: checkJobStubs }
      return readPages(transport, call, options)
    },
    jobStatuses: (ids, options) => jobStatuses(transport, ids, options),
    async jobAllocations(id, { all, ...options } = {}) {
      const purpose = `read the allocations of job ${id}`
      const path = `${jobPath(id)}/allocations`
      const call = { ...options, purpose, path, query: { all }, check: checkAllocations }
      return transport.read(call)
    },
    async jobEvaluations(id, options) {
      const purpose = `read the evaluations of job ${id}`
      const call = {
        ...options,
        purpose,
        path: `${jobPath(id)}/evaluations`,
        check: checkEvaluations,
      }
      return transport.read(call)
    },
    async parseJob(hcl, { variables, ...options } = {}) {
      try {
        const job = await transport.read({
          ...options,
          purpose: 'parse a job file',
          method: 'POST',
          path: '/v1/jobs/parse',
          json: { JobHCL: hcl, Canonicalize: false, Variables: variables },
          check: checkParsedJob,
        })
        return { kind: 'parsed', job }
      } catch (error) {
        if (!isCaravanError(error) || problemOf(error) !== 'invalid') throw error
        return { kind: 'invalid', text: String(error.detail['text']) }
      }
    },
  }
}

async function registerJob(
  transport: Transport,
  job: NomadJob,
  { enforceIndex, submission, signal }: RegisterOptions = {},
): ReturnType<NomadClient['registerJob']> {
  try {
    const { value, index } = await transport.write({
      purpose: `register job ${job.ID}`,
      method: 'PUT',
      path: '/v1/jobs',
      json: {
        Job: job,
        ...(enforceIndex === undefined ? {} : { EnforceIndex: true, JobModifyIndex: enforceIndex }),
        ...(submission === undefined ? {} : { Submission: submission }),
      },
      check: checkJobReceipt,
      signal,
      // Nomad refuses a job whose namespace is not that of the call.
      namespace: job.Namespace,
    })
    const { EvalID: evalId, JobModifyIndex: jobModifyIndex, Warnings: warnings = '' } = value
    return { kind: 'registered', evalId, jobModifyIndex, index, warnings }
  } catch (error) {
    if (enforceIndex === undefined || problemOf(error) !== 'conflict') throw error
    return { kind: 'conflict', index: enforceIndex }
  }
}

async function jobStatuses(
  transport: Transport,
  ids: readonly string[],
  options: Parameters<NomadClient['jobStatuses']>[1] = {},
): Promise<JobStatus[] | null> {
  const statuses: JobStatus[] = []
  const namespace = options.namespace ?? transport.namespace
  for (let start = 0; start < ids.length; start += STATUSES_MAX) {
    const some = ids.slice(start, start + STATUSES_MAX)
    try {
      const found = await transport.read({
        ...options,
        purpose: `read the states of ${some.length} jobs`,
        method: 'POST',
        path: '/v1/jobs/statuses',
        query: { per_page: STATUSES_MAX },
        json: { Jobs: some.map((id) => ({ ID: id, Namespace: namespace })) },
        check: checkJobStatuses,
      })
      statuses.push(...found)
    } catch (error) {
      if (problemOf(error) === 'no_such_path') return null
      throw error
    }
  }
  return statuses
}

function toReceipt({ value, index }: Reply<{ EvalID: string }>): WriteReceipt {
  return { evalId: value.EvalID, index }
}

export function jobPath(id: string): string {
  return `/v1/job/${encodeURIComponent(id)}`
}
