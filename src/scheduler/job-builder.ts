/** The Nomad job of a slice: what the template gives, and what is added beside it. Pure. */
import {
  CaravanError,
  toReservation,
  type RenderedSlice,
  type ResourceClass,
  type Settings,
} from '../model/index.ts'
import {
  hasFeature,
  type NomadJob,
  type NomadTaskGroup,
  type NomadVersion,
} from '../nomad/index.ts'
import type { BuildRow, EarlierAttemptRow, SliceRow } from './store/index.ts'
import { SLICE_TASK, renderSlice, type JobTemplate } from './template/index.ts'

export interface SliceJob {
  /** As registered. */
  job: NomadJob
  specHash: string
  /** For people: the claim token left out. */
  shown: RenderedSlice
}

export interface JobParts {
  build: BuildRow
  slice: SliceRow
  /** Where earlier attempts of the slice ran. */
  earlier: readonly Pick<EarlierAttemptRow, 'node_id'>[]
  resourceClass: ResourceClass
  template: JobTemplate
  settings: Settings
  installId: string
  agentCommand: readonly string[]
  /** Where the agent reaches us. */
  url: string
  claimToken: string
  version: NomadVersion | null
}

/**
 * Nomad's own guard counts from the creation of the allocation and comes after the agent's and ours:
 * it is for a node that neither can reach any more.
 */
const LAST_GUARD_MS = 5 * 60_000

const NS_PER_MS = 1_000_000

/** @throws CaravanError TEMPLATE_INVALID when the values do not fit into the template. */
export function buildSliceJob(parts: JobParts): SliceJob {
  const { build, slice, resourceClass, template, settings, version } = parts
  const { cpuMhz, memoryMiB } = toReservation(resourceClass)
  const [command, ...args] = parts.agentCommand
  const { job, values } = renderSlice(template, {
    job_id: slice.nomad_job_id,
    priority: build.priority,
    datacenters: settings.nomad.datacenters,
    node_class: resourceClass.nodeClass,
    cpu: cpuMhz,
    memory: memoryMiB,
    agent_command: command ?? '',
    agent_args: args,
    url: parts.url,
    install: parts.installId,
    org: build.org,
    repo: build.repo,
    branch: build.branch,
    sha: build.sha,
    build: build.id,
    number: build.number,
    job: build.job,
    slice: slice.slice_index,
    parallelism: build.parallelism,
    resource_class: build.resource_class,
    epoch: slice.epoch,
  })
  const limits = hasFeature(version, 'max_run_duration')
    ? { max_run_duration: toRunGuard(settings.limits) }
    : {}
  const affinities = avoidNodes(parts.earlier)
  const avoiding = affinities.length > 0 ? { affinities } : {}
  const added = { namespace: settings.nomad.namespace, ...limits, ...avoiding }
  return {
    job: addTo(job, { ...added, claimToken: parts.claimToken }),
    specHash: values.spec_hash ?? '',
    shown: { vars: { ...values }, job: { ...job }, added },
  }
}

/** What identifies a job as the one of this epoch of this slice. */
export function isJobOf(
  job: Pick<NomadJob, 'Meta'>,
  slice: SliceRow,
  installId: string,
  specHashes: readonly string[],
): boolean {
  const meta = job.Meta ?? {}
  return (
    meta['install'] === installId &&
    meta['build'] === slice.build_id &&
    meta['slice'] === String(slice.slice_index) &&
    meta['epoch'] === String(slice.epoch) &&
    specHashes.includes(meta['spec_hash'] ?? '')
  )
}

/** The strongest that there is: other affinities of the template may still speak for the node. */
const AVOID_WEIGHT = -100

/** Not a constraint: a cluster of one node shall be able to try again, too. */
function avoidNodes(earlier: JobParts['earlier']): NodeAffinity[] {
  const nodes = new Set(earlier.map((attempt) => attempt.node_id).filter((id) => id !== null))
  return [...nodes].sort().map((id) => ({
    LTarget: '${node.unique.id}',
    RTarget: id,
    Operand: '=',
    Weight: AVOID_WEIGHT,
  }))
}

interface NodeAffinity {
  LTarget: string
  RTarget: string
  Operand: '='
  Weight: number
}

function toRunGuard(limits: Settings['limits']): number {
  return (limits.start + limits.max_run_time + LAST_GUARD_MS) * NS_PER_MS
}

function addTo(
  job: NomadJob,
  added: {
    namespace: string
    max_run_duration?: number
    affinities?: NodeAffinity[]
    claimToken: string
  },
): NomadJob {
  const guard =
    added.max_run_duration === undefined ? {} : { MaxRunDuration: added.max_run_duration }
  return {
    ...job,
    Namespace: added.namespace,
    TaskGroups: job.TaskGroups.map((group) => ({
      ...group,
      ...guard,
      ...(added.affinities && { Affinities: [...affinitiesOf(group), ...added.affinities] }),
      Tasks: group.Tasks.map((task) =>
        task.Name === SLICE_TASK
          ? { ...task, Env: { ...task.Env, CARAVAN_CLAIM_TOKEN: added.claimToken } }
          : task,
      ),
    })),
  }
}

function affinitiesOf(group: NomadTaskGroup): unknown[] {
  const own = group['Affinities']
  return Array.isArray(own) ? own : []
}

/** @throws CaravanError CONFIG_INVALID when the settings do not have the class. */
export function resourceClassOf(
  name: string,
  classes: ReadonlyMap<string, ResourceClass>,
): ResourceClass {
  const found = classes.get(name)
  if (found !== undefined) return found
  const known = [...classes.keys()].join(', ')
  throw new CaravanError('CONFIG_INVALID', `no resource class ${name}: there are ${known}`)
}
