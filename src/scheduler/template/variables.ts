/**
 * What the scheduler fills into the template of a slice. A template declares those it needs; it may
 * declare others, which then keep their defaults.
 */
import type { VariableType } from './values.ts'

/** The values of one attempt of one slice. */
export interface SliceValues {
  job_id: string
  priority: number
  datacenters: readonly string[]
  node_class: string
  cpu: number
  memory: number
  agent_command: string
  agent_args: readonly string[]
  url: string
  install: string
  org: string
  repo: string
  branch: string
  sha: string
  build: string
  number: number
  job: string
  slice: number
  parallelism: number
  resource_class: string
  epoch: number
  spec_hash: string
}

export type SliceVariable = keyof SliceValues

interface VariableEntry {
  readonly type: VariableType
  readonly meaning: string
}

const TEXTS: VariableType = { list: 'string' }

export const SLICE_VARIABLES: Readonly<Record<SliceVariable, VariableEntry>> = {
  job_id: { type: 'string', meaning: 'id of the Nomad job' },
  priority: { type: 'number', meaning: 'priority of the build, 1 to 100' },
  datacenters: { type: TEXTS, meaning: 'datacenters to run in; "*" is all of them' },
  node_class: { type: 'string', meaning: 'class of the nodes that may run the slice' },
  cpu: { type: 'number', meaning: 'MHz to reserve, the overhead of the agent included' },
  memory: { type: 'number', meaning: 'MiB to reserve, the overhead of the agent included' },
  agent_command: { type: 'string', meaning: 'program that is the build-agent' },
  agent_args: { type: TEXTS, meaning: 'its arguments' },
  url: { type: 'string', meaning: 'address at which agents reach the Caravan server' },
  install: { type: 'string', meaning: 'id of the Caravan installation' },
  org: { type: 'string', meaning: 'organisation' },
  repo: { type: 'string', meaning: 'repository' },
  branch: { type: 'string', meaning: 'branch that is built' },
  sha: { type: 'string', meaning: 'commit that is built' },
  build: { type: 'string', meaning: 'id of the build, 24 hex digits' },
  number: { type: 'number', meaning: 'number of the build' },
  job: { type: 'string', meaning: 'name of the job in the configuration of the build' },
  slice: { type: 'number', meaning: 'index of the slice, from 0' },
  parallelism: { type: 'number', meaning: 'how many slices the build has' },
  resource_class: { type: 'string', meaning: 'name of the resource class' },
  epoch: { type: 'number', meaning: 'number of the attempt, from 1' },
  spec_hash: { type: 'string', meaning: 'SHA-256 of this job without this value' },
}

/** Keys of the job's meta: operators, dashboards and the adoption of jobs rely on them. */
export const META_KEYS = [
  'install',
  'org',
  'repo',
  'branch',
  'sha',
  'build',
  'number',
  'job',
  'slice',
  'parallelism',
  'resource_class',
  'epoch',
  'spec_hash',
] as const satisfies readonly SliceVariable[]
