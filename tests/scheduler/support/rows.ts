/** Rows for tests, each with whatever differs. */
import {
  createBuildId,
  toNomadJobId,
  type JobSpec,
  type BuildId,
} from '../../../src/model/index.ts'
import type { BuildRow, BuildTexts, SliceRow } from '../../../src/scheduler/store/index.ts'

export const NOW_MS = 1_700_000_000_000

let counter = 0

export function aBuildId(): BuildId {
  counter += 1
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(counter)
  return createBuildId(NOW_MS, bytes)
}

export function aBuild(more: Partial<BuildRow> = {}): BuildRow {
  const id = more.id ?? aBuildId()
  return {
    id,
    number: 1,
    org: 'acme',
    repo: 'site',
    branch: 'main',
    sha: '0'.repeat(40),
    job: 'test',
    parallelism: 1,
    resource_class: 'medium',
    priority: 50,
    state: 'queued',
    reason: null,
    created_ms: NOW_MS,
    started_ms: null,
    finished_ms: null,
    rerun_of: null,
    ...more,
  }
}

export function aSlice(build: BuildRow, more: Partial<SliceRow> = {}): SliceRow {
  const index = more.slice_index ?? 0
  const { id, org, repo, number } = build
  return {
    build_id: id,
    slice_index: index,
    state: 'waiting_run',
    version: 1,
    epoch: 1,
    retries: 0,
    due_ms: null,
    nomad_job_id: toNomadJobId({ build: id, index, org, repo, number, epoch: 1 }),
    job_open: 0,
    spec_hash: null,
    job_modify_index: null,
    allocation_id: null,
    node_id: null,
    node_name: null,
    cancel_reason: null,
    reason: null,
    detail: '',
    queued_ms: NOW_MS,
    submitted_ms: null,
    placed_ms: null,
    claimed_ms: null,
    started_ms: null,
    finished_ms: null,
    ...more,
  }
}

export function aSpec(more: Partial<JobSpec> = {}): JobSpec {
  return {
    name: 'test',
    executor: { kind: 'machine' },
    resource_class: 'medium',
    parallelism: 1,
    environment: {},
    working_directory: '~/project',
    steps: [
      {
        kind: 'run',
        name: 'say hello',
        command: 'echo hello',
        environment: {},
        when: 'on_success',
        no_output_timeout_ms: 600_000,
        background: false,
      },
    ],
    ...more,
  }
}

export function someTexts(more: Partial<BuildTexts> = {}): BuildTexts {
  return { spec: aSpec(), source: { kind: 'none' }, warnings: [], ...more }
}
