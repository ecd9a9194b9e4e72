/** What an agent is told to do, from a build and one of its slices. Pure. */
import {
  PIDS_MAX,
  type ExecutorSpec,
  type Settings,
  type Task,
  toResourceClasses,
  toVariableName,
} from '../model/index.ts'
import type { BuildRow, BuildTexts, SliceRow } from './store/index.ts'

export interface TaskParts {
  build: BuildRow
  texts: Pick<BuildTexts, 'spec' | 'source'>
  slice: Pick<SliceRow, 'slice_index'>
  settings: Pick<Settings, 'limits' | 'class' | 'containers'>
  /** Of the agent's task in the Nomad job. */
  killTimeoutMs: number
  /** Where people reach the server. */
  publicUrl: string
}

export function toTask(parts: TaskParts): Task {
  const { build, texts, slice, settings, killTimeoutMs } = parts
  const { limits } = settings
  const { id, number, org, repo, branch, sha, job } = build
  const { spec, source } = texts
  return {
    build: { id, number, org, repo, branch, sha, job },
    slice: { index: slice.slice_index, total: build.parallelism },
    source,
    executor: spec.executor,
    ...toResources(spec.resource_class, settings),
    proxy: toProxy(settings.containers),
    environment: [
      { layer: 'built-in', values: builtInVariables(parts) },
      { layer: 'job', values: spec.environment },
    ],
    working_directory: spec.working_directory,
    ...(spec.shell === undefined ? {} : { shell: spec.shell }),
    steps: spec.steps,
    mask: literalPasswords(spec.executor),
    limits: {
      max_run_time_ms: limits.max_run_time,
      output_bytes: limits.output,
      orphan_ms: limits.orphan,
      kill_timeout_ms: killTimeoutMs,
    },
  }
}

/** What logs in to a registry and stands in the configuration itself; a reference is no secret. */
function literalPasswords(executor: ExecutorSpec): string[] {
  if (executor.kind !== 'docker') return []
  return executor.containers.flatMap(({ auth }) =>
    auth === undefined || toVariableName(auth.password) !== null ? [] : [auth.password],
  )
}

/** A class that the settings do not have any more leaves its slices without limits of their own. */
function toResources(name: string, settings: Pick<Settings, 'class'>): Pick<Task, 'resources'> {
  const found = toResourceClasses(settings.class).get(name)
  if (found === undefined) return {}
  return { resources: { vcpu: found.vcpu, memory_mib: found.memoryMiB, pids: PIDS_MAX } }
}

function toProxy({
  http_proxy: http,
  https_proxy: https,
  no_proxy: direct,
}: Settings['containers']): NonNullable<Task['proxy']> {
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(direct === undefined ? {} : { direct }),
  }
}

/** Those that have a value for this build; the others are left unset, not empty. */
function builtInVariables({ build, texts, slice, publicUrl }: TaskParts): Record<string, string> {
  const { source, spec } = texts
  const variables: Record<string, string | undefined> = {
    CI: 'true',
    CIRCLECI: 'true',
    CIRCLE_BRANCH: build.branch,
    CIRCLE_BUILD_NUM: String(build.number),
    CIRCLE_BUILD_URL: `${publicUrl}/api/v1/builds/${build.id}`,
    CIRCLE_JOB: build.job,
    CIRCLE_NODE_INDEX: String(slice.slice_index),
    CIRCLE_NODE_TOTAL: String(build.parallelism),
    CIRCLE_PROJECT_REPONAME: build.repo,
    CIRCLE_PROJECT_USERNAME: build.org,
    CIRCLE_REPOSITORY_URL: source.kind === 'git' ? withoutCredentials(source.url) : undefined,
    CIRCLE_SHA1: build.sha === '' ? undefined : build.sha,
    CIRCLE_WORKING_DIRECTORY: spec.working_directory,
  }
  const set = Object.entries(variables).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return Object.fromEntries(set)
}

/** A URL may hold a password for `git`; a variable that every program of the build can print may not. */
function withoutCredentials(url: string): string {
  const parsed = URL.parse(url)
  if (parsed === null || (parsed.username === '' && parsed.password === '')) return url
  // The user of an SSH URL is part of the address.
  if (parsed.protocol.startsWith('http')) parsed.username = ''
  parsed.password = ''
  return parsed.href
}
