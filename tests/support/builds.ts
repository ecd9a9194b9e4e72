/** Builders of views with one visible difference each. */
import type { BuildView, SliceView, StepView } from '../../src/model/index.ts'

export function aStep(changes: Partial<StepView> = {}): StepView {
  return {
    index: 0,
    name: 'test',
    background: false,
    state: 'waiting',
    exit_code: null,
    signal: null,
    reason: null,
    seconds: null,
    output: { length: null, have: 0 },
    ...changes,
  }
}

export function aSlice(changes: Partial<SliceView> = {}): SliceView {
  return {
    index: 0,
    epoch: 1,
    nomad_job_id: '5a4ea06b7d560d000116830f-0-build-acme-shop-1',
    allocation_id: null,
    node_name: null,
    state: 'running',
    reason: null,
    detail: '',
    seconds: null,
    steps: [aStep()],
    earlier_attempts: [],
    notices: [],
    ...changes,
  }
}

export function aBuild(changes: Partial<BuildView> = {}): BuildView {
  return {
    id: '5a4ea06b7d560d000116830f',
    number: 1,
    org: 'acme',
    repo: 'shop',
    branch: 'main',
    sha: 'f'.repeat(40),
    job: 'test',
    parallelism: 1,
    resource_class: 'medium',
    state: 'running',
    reason: null,
    created_at: '2026-01-01T00:00:00.000Z',
    started_at: null,
    finished_at: null,
    seconds: null,
    rerun_of: null,
    warnings: [],
    slices: [aSlice()],
    ...changes,
  }
}
