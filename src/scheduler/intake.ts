/** From a request to a stored build: compile, check, plan, store, all or nothing. */
import {
  withContainerSteps,
  CaravanError,
  createBuildId,
  formatProblem,
  toNomadJobId,
  type BuildRequest,
  type ContainerSpec,
  type DryRunAnswer,
  type JobSpec,
  type ResourceClass,
  type Settings,
} from '../model/index.ts'
import type { Clock, Log, RandomSource } from '../platform/index.ts'
import { judgeFit } from './capacity.ts'
import type { Cluster } from './cluster.ts'
import { compileConfig, type CompileOutcome } from './config/index.ts'
import { resourceClassOf, type SliceJob } from './job-builder.ts'
import type { Ledger } from './ledger.ts'
import type { Sources } from './sources.ts'
import {
  insertBuild,
  insertSlices,
  readLastBuildNumber,
  takeBuildNumber,
  type BuildRow,
  type SliceRow,
} from './store/index.ts'

export interface Intake {
  /** @returns the stored build, whose slices wait in the queue. */
  submit(request: BuildRequest): Promise<BuildRow>
  dryRun(request: BuildRequest): Promise<DryRunAnswer>
}

export interface IntakeDeps {
  ledger: Ledger
  sources: Sources
  cluster: Cluster
  settings: Settings
  classes: ReadonlyMap<string, ResourceClass>
  buildJob: (build: BuildRow, slice: SliceRow) => Promise<SliceJob>
  clock: Clock
  random: RandomSource
  log: Log
}

/** A configuration that can be run. */
export interface Compiled {
  spec: JobSpec
  warnings: string[]
}

/** Nodes of a moment ago are good enough to say what will never fit. */
const NODES_AGE_MAX_MS = 10_000

export function createIntake(deps: IntakeDeps): Intake {
  const { ledger, log } = deps
  return {
    async submit(request) {
      const { spec, ...compiled } = compileRequest(request, deps)
      const warnings = [...compiled.warnings, ...warnOfSource(spec, request)]
      await checkSource(deps, request)
      const build = await ledger.write(async (entry) => {
        const number = await takeBuildNumber(entry.writer)
        const plan = planBuild(deps, { request, spec, number })
        await insertBuild(entry.writer, plan.build, { spec, source: request.source, warnings })
        await insertSlices(entry.writer, plan.slices)
        entry.opened(plan.build, plan.slices)
        return plan.build
      })
      const { id, number, org, repo, branch, job, parallelism } = build
      log.info('build accepted', { build: id, number, org, repo, branch, job, parallelism })
      return build
    },

    async dryRun(request) {
      await checkSource(deps, request)
      // The number that a real build would get now; nothing is stored, so it stays free.
      const number = (await readLastBuildNumber(ledger.read)) + 1
      const { spec, slices, warnings } = await renderBuild(request, number, deps)
      return { slices, warnings: [...warnings, ...(await warnOfSize(deps, spec))] }
    },
  }
}

/**
 * The Nomad jobs of a build that is not stored.
 *
 * @throws what `compileRequest` throws.
 */
export async function renderBuild(
  request: BuildRequest,
  number: number,
  deps: Pick<IntakeDeps, 'settings' | 'classes' | 'buildJob' | 'clock' | 'random'>,
): Promise<DryRunAnswer & { spec: JobSpec }> {
  const { spec, warnings } = compileRequest(request, deps)
  const { build, slices } = planBuild(deps, { request, spec, number })
  const jobs = []
  for (const slice of slices) jobs.push((await deps.buildJob(build, slice)).shown)
  return { slices: jobs, warnings, spec }
}

/**
 * What the request's configuration means.
 *
 * @throws CaravanError CONFIG_INVALID with `detail.problems`, or INPUT_INVALID with `detail.jobs` when
 * there are several and none was chosen.
 */
export function compileRequest(
  request: CompileInput,
  { settings, classes }: Pick<IntakeDeps, 'settings' | 'classes'>,
): Compiled {
  const { job, parallelism, config_file: file } = request
  const outcome = compileConfig(request.config, {
    file,
    ...(job === undefined ? {} : { job }),
    ...(parallelism === undefined ? {} : { parallelism }),
    classes,
    noOutputMs: settings.limits.no_output,
  })
  switch (outcome.kind) {
    case 'compiled':
      return toCompiled(request, outcome)
    case 'choose': {
      const { jobs } = outcome
      const message = `${file} has several jobs, choose one of them: ${jobs.join(', ')}`
      throw new CaravanError('INPUT_INVALID', message, { detail: { jobs } })
    }
    case 'refused': {
      const { problems } = outcome
      throw new CaravanError('CONFIG_INVALID', `${file} can not be run`, { detail: { problems } })
    }
  }
}

type CompileInput = Pick<
  BuildRequest,
  'config' | 'config_file' | 'job' | 'parallelism' | 'executor'
>

const ON_HOST =
  'the steps run on the host and not in the containers of the job, as was asked for: its images and services are not used'

function toCompiled(
  { executor }: CompileInput,
  outcome: Extract<CompileOutcome, { kind: 'compiled' }>,
): Compiled {
  const { job } = outcome
  const warnings = outcome.warnings.map(formatProblem)
  if (executor === 'host' && job.executor.kind === 'docker') {
    return { spec: toHostJob(job, job.executor.containers), warnings: [...warnings, ON_HOST] }
  }
  return { spec: withContainerSteps(job), warnings }
}

/** What the primary container has in its environment the steps would have seen, under all else. */
function toHostJob(job: JobSpec, [primary]: readonly ContainerSpec[]): JobSpec {
  const environment = { ...primary?.environment, ...job.environment }
  return { ...job, executor: { kind: 'machine' }, environment }
}

/** @throws CaravanError INPUT_INVALID when the bundle was not uploaded. */
async function checkSource({ sources }: IntakeDeps, { source }: BuildRequest): Promise<void> {
  if (source.kind !== 'bundle' || (await sources.has(source.id))) return
  throw new CaravanError('INPUT_INVALID', `the source ${source.id} was not uploaded`)
}

/** Not an error: steps that run in spite of it, `when: always`, may be what somebody wants. */
function warnOfSource({ steps }: JobSpec, { source }: BuildRequest): string[] {
  if (source.kind !== 'none' || !steps.some(({ kind }) => kind === 'checkout')) return []
  return [
    'this build has no source, and its checkout step will fail: run it from a git checkout with a commit, or name --repo-url and --sha',
  ]
}

/** Pure but for time and chance. */
function planBuild(
  { clock, random }: Pick<IntakeDeps, 'clock' | 'random'>,
  { request, spec, number }: { request: BuildRequest; spec: JobSpec; number: number },
): { build: BuildRow; slices: SliceRow[] } {
  const nowMs = clock.now()
  const build: BuildRow = {
    id: createBuildId(nowMs, random.bytes(8)),
    number,
    org: request.org,
    repo: request.repo,
    branch: request.branch,
    sha: request.sha,
    job: spec.name,
    parallelism: spec.parallelism,
    resource_class: spec.resource_class,
    priority: request.priority,
    state: 'queued',
    reason: null,
    created_ms: nowMs,
    started_ms: null,
    finished_ms: null,
    rerun_of: null,
  }
  const indexes = Array.from({ length: spec.parallelism }, (_, index) => index)
  return { build, slices: indexes.map((index) => planSlice(build, index)) }
}

/** A slice that waits for its first attempt. */
export function planSlice(build: BuildRow, index: number): SliceRow {
  const { id, org, repo, number } = build
  return {
    build_id: id,
    slice_index: index,
    // Concurrency of organisations is not limited, so nobody waits for it.
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
    queued_ms: build.created_ms,
    submitted_ms: null,
    placed_ms: null,
    claimed_ms: null,
    started_ms: null,
    finished_ms: null,
  }
}

/** A real build would end for it; a dry run only tells, and does not need a cluster. */
async function warnOfSize(deps: IntakeDeps, spec: JobSpec): Promise<string[]> {
  const { cluster, classes, log } = deps
  try {
    const nodes = await cluster.nodes(NODES_AGE_MAX_MS)
    const fit = judgeFit(resourceClassOf(spec.resource_class, classes), nodes)
    return fit.kind === 'never' ? [fit.detail] : []
  } catch (cause) {
    log.warn('a dry run could not look at the nodes', { cause })
    return []
  }
}
