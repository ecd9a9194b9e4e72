/** The environment of steps: what is inherited, what is laid over it, and what fits into an exec. */
import { delimiter } from 'node:path'
import type { Task } from '../model/index.ts'
import { resolveWorkingDirectory } from './paths.ts'

export type Environment = Record<string, string>

export interface JobPlace {
  home: string
  workingDirectory: string
  /** Folder of the agent's own files for this job; outside the working directory. */
  internalDir: string
  bashEnvFile: string
  /** Holds `circleci` and `circleci-agent`. */
  shimsDir: string
}

/**
 * Ours, Nomad's and the runtime's own: a step has no business with them. Some are secrets, some would turn
 * the step's tools to our files, and those of git are there when a build was started from a git hook.
 */
const INTERNAL_NAMES = new RegExp(
  `^(?:${[
    'CARAVAN_.*',
    'NOMAD_.*',
    'VAULT_TOKEN|CONSUL_TOKEN|CONSUL_HTTP_TOKEN',
    'npm_.*|INIT_CWD',
    'NODE_OPTIONS|NODE_CHANNEL_.*|NODE_V8_COVERAGE',
    'XDG_(?:CONFIG|DATA|STATE|CACHE)_HOME',
    'GIT_(?:DIR|WORK_TREE|INDEX_FILE|PREFIX|OBJECT_DIRECTORY|COMMON_DIR)',
    'BASH_ENV|ENV|OLDPWD|PWD|SHLVL|_',
  ].join('|')})$`,
)

/** The agent's own environment without what is internal. */
export function cleanHostEnvironment(
  inherited: Readonly<Record<string, string | undefined>>,
): Environment {
  const kept = Object.entries(inherited).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !INTERNAL_NAMES.test(entry[0]),
  )
  return Object.fromEntries(kept)
}

/** Tells our processes from others' when everything that a job left behind is searched for. */
export const MARKER_NAME = 'CIRCLE_INTERNAL_TASK_DATA'

/**
 * What every step of the job starts with, weakest first: the host, what the agent provides, the layers of
 * the task. Values are literal, save that CIRCLE_WORKING_DIRECTORY is published as a real path, because
 * no shell expands a `~` that comes out of a variable.
 */
export function buildJobEnvironment(
  host: Environment,
  layers: Task['environment'],
  place: JobPlace,
): Environment {
  const own: Environment = {
    HOME: place.home,
    BASH_ENV: place.bashEnvFile,
    CIRCLE_WORKING_DIRECTORY: place.workingDirectory,
  }
  const merged: Environment = Object.assign({}, host, own, ...layers.map((layer) => layer.values))
  const published = merged['CIRCLE_WORKING_DIRECTORY'] ?? ''
  if (published.startsWith('~')) {
    merged['CIRCLE_WORKING_DIRECTORY'] = resolveWorkingDirectory(published, place.home)
  }
  return merged
}

/** What one step starts with. The `circleci` command is found whatever a layer makes of PATH. */
export function buildStepEnvironment(
  job: Environment,
  step: Readonly<Record<string, string>>,
  place: JobPlace,
): Environment {
  const merged: Environment = { ...job, ...step, [MARKER_NAME]: place.internalDir }
  const path = merged['PATH'] ?? DEFAULT_PATH
  return { ...merged, PATH: `${place.shimsDir}${delimiter}${path}` }
}

/** What a login would give when nobody set one. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Linux takes no single argument or variable of more bytes, its closing NUL included. */
const STRING_BYTES_MAX = 131_072
/** A quarter of the usual 8 MiB stack, less a page for what the kernel adds. */
const TOTAL_BYTES_MAX = 2_097_152 - 4096
/** Each string also costs a pointer. */
const POINTER_BYTES = 8

/** Names what the kernel would refuse to exec, since its own answer names nothing. Null when all fits. */
export function findOversized(argv: readonly string[], env: Environment): string | null {
  let total = 0
  let largest = { name: '', bytes: 0 }
  for (const [name, value] of Object.entries(env)) {
    const bytes = Buffer.byteLength(name) + Buffer.byteLength(value) + 2
    if (bytes > STRING_BYTES_MAX) {
      return `the environment variable ${name} is too large: ${bytes} bytes, Linux allows ${STRING_BYTES_MAX}`
    }
    if (bytes > largest.bytes) largest = { name, bytes }
    total += bytes + POINTER_BYTES
  }
  for (const word of argv) {
    const bytes = Buffer.byteLength(word) + 1
    if (bytes > STRING_BYTES_MAX) {
      return `the command is too long to be an argument: ${bytes} bytes, Linux allows ${STRING_BYTES_MAX}`
    }
    total += bytes + POINTER_BYTES
  }
  if (total <= TOTAL_BYTES_MAX) return null
  return (
    `the environment is too large: ${total} bytes in all, Linux allows ${TOTAL_BYTES_MAX}; ` +
    `the largest variable is ${largest.name} with ${largest.bytes} bytes`
  )
}
