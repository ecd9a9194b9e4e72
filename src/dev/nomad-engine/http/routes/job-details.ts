/** Calls about what belongs to a job: allocations, evaluations, versions, and all jobs at a glance. */
import { z } from 'zod'
import type { Allocation } from '../../objects/allocation.ts'
import type { Job } from '../../objects/job.ts'
import { toAllocationStub, toEvaluationView } from '../../objects/views.ts'
import type { Core } from '../../operations/jobs.ts'
import { Refusal } from '../../operations/refusal.ts'
import { toJobKey, toSubmissionKey } from '../../state/rows.ts'
import { readBody, readFlag } from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'
import { byIndex, toPage } from '../page.ts'
import { read } from '../read.ts'
import type { ReadDeps } from '../read.ts'
import { jobsOf, keyOf } from './jobs.ts'

type Deps = Core & ReadDeps

const statusesBody = z.object({
  Jobs: z.array(z.object({ ID: z.string(), Namespace: z.string().nullish() })).nullish(),
})

export function jobDetailRoutes(deps: Deps): Routes {
  return {
    '/v1/job/:id/allocations': { GET: (call) => listAllocations(deps, call) },
    '/v1/job/:id/evaluations': { GET: (call) => listEvaluations(deps, call) },
    '/v1/job/:id/deployment': { GET: (call) => readNone(deps, call, null) },
    '/v1/job/:id/deployments': { GET: (call) => readNone(deps, call, []) },
    '/v1/job/:id/versions': { GET: (call) => listVersions(deps, call) },
    '/v1/job/:id/submission': { GET: (call) => readSubmission(deps, call) },
    '/v1/jobs/statuses': {
      GET: (call) => listStatuses(deps, call),
      PUT: (call) => listStatuses(deps, call),
    },
  }
}

/** By default only allocations of the job as it exists now, not of an earlier one with its id. */
function listAllocations(deps: Deps, call: Call): Promise<Reply> {
  const { tables, indexes } = deps.state
  const key = keyOf(call)
  return read(deps, call, {
    tables: ['allocation'],
    index: () => tables.allocation.lastIndex,
    value() {
      const current = tables.job.get(key)?.CreateIndex
      const rows = find(tables.allocation.rows, indexes.ofJob(key).allocations)
      const isAll = readFlag(call, 'all') || current === undefined
      return rows
        .filter((row) => isAll || row.Job.CreateIndex === current)
        .map((row) => toAllocationStub(row))
    },
  })
}

function listEvaluations(deps: Deps, call: Call): Promise<Reply> {
  const { tables, indexes } = deps.state
  return read(deps, call, {
    tables: ['evaluation'],
    index: () => tables.evaluation.lastIndex,
    value: () =>
      find(tables.evaluation.rows, indexes.ofJob(keyOf(call)).evaluations).map(toEvaluationView),
  })
}

/** In the order of their ids. */
function find<Row extends { ID: string }>(
  rows: ReadonlyMap<string, Row>,
  ids: ReadonlySet<string>,
): Row[] {
  return [...ids].sort().flatMap((id) => rows.get(id) ?? [])
}

/** The engine makes no deployments: those are of services that are updated step by step. */
function readNone(deps: Deps, call: Call, value: unknown): Promise<Reply> {
  return read(deps, call, { tables: [], index: () => 0, value: () => value })
}

function listVersions(deps: Deps, call: Call): Promise<Reply> {
  const { tables, indexes } = deps.state
  const key = keyOf(call)
  const index = () => tables.job.get(key)?.ModifyIndex ?? tables.job.lastIndex
  return read(deps, call, {
    tables: ['job'],
    index,
    value() {
      const Versions = indexes.versions(key)
      if (Versions.length === 0) throw new Refusal(404, 'job versions not found', index())
      const meta = { Index: index(), LastContact: 0, KnownLeader: true, NextToken: '' }
      return { Versions, Diffs: null, ...meta }
    },
  })
}

function readSubmission(deps: Deps, call: Call): Promise<Reply> {
  const { submission } = deps.state.tables
  const version = call.query.get('version') ?? ''
  if (!/^\d+$/.test(version)) {
    throw new Refusal(400, 'Unable to parse job submission version parameter')
  }
  return read(deps, call, {
    tables: ['submission'],
    index: () => submission.lastIndex,
    value() {
      const row = submission.get(toSubmissionKey(keyOf(call), Number(version)))
      if (row === undefined) throw new Refusal(404, 'job source not found', submission.lastIndex)
      const { Source, Format, VariableFlags, Variables } = row
      return { Source, Format, VariableFlags, Variables }
    },
  })
}

/** Jobs with the states of their allocations, the last changed first: all or the named ones. */
function listStatuses(deps: Deps, call: Call): Promise<Reply> {
  const { state } = deps
  const named = call.body === '' ? null : (readBody(call, statusesBody).Jobs ?? null)
  const changedAt = (job: Job) =>
    Math.max(job.ModifyIndex, state.indexes.ofJob(toJobKey(job)).summaryIndex)
  const order = byIndex<Job>((job) => [changedAt(job), `${job.Namespace}.${job.ID}`], 'descending')
  const select = (): Iterable<Job> =>
    named === null
      ? jobsOf(deps, call)
      : named.flatMap(({ ID, Namespace }) => {
          const key = toJobKey({ ID, Namespace: Namespace || 'default' })
          return state.tables.job.get(key) ?? []
        })
  let headers: Record<string, string> = {}
  return read(deps, call, {
    tables: ['job', 'allocation', 'evaluation'],
    index: () => Math.max(state.tables.job.lastIndex, state.indexes.summaryIndex),
    headers: () => headers,
    value() {
      const page = toPage(call, select(), order)
      headers = page.headers
      return page.rows.map((job) => toStatus(deps, job, changedAt(job)))
    },
  })
}

function toStatus({ state }: Deps, job: Job, ModifyIndex: number) {
  const ids = state.indexes.ofJob(toJobKey(job)).allocations
  const allocations = find(state.tables.allocation.rows, ids)
  const { ID, Namespace, Name, Type, NodePool, Datacenters, Priority, Version } = job
  const { SubmitTime, ParentID, Stop, Status } = job
  const identity = { ID, Namespace, Name, Type, NodePool, Datacenters, Priority, Version }
  return {
    ...identity,
    SubmitTime,
    ModifyIndex,
    Allocs: allocations
      .filter((each) => each.Job.CreateIndex === job.CreateIndex)
      .map(toAllocationStatus),
    GroupCountSum: job.TaskGroups.reduce((total, group) => total + group.Count, 0),
    ChildStatuses: null,
    ParentID,
    LatestDeployment: null,
    Stop,
    IsPack: false,
    Status,
  }
}

function toAllocationStatus(allocation: Allocation) {
  return {
    ID: allocation.ID,
    Group: allocation.TaskGroup,
    ClientStatus: allocation.ClientStatus,
    NodeID: allocation.NodeID,
    DeploymentStatus: { Canary: false, Healthy: null },
    JobVersion: allocation.Job.Version,
    FollowupEvalID: allocation.FollowupEvalID,
    HasPausedTask: false,
  }
}
