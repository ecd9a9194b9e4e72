/** From a command line and the checkout it was typed in to a build request. */
import { basename, join, relative, resolve } from 'node:path'
import type { BuildRequestInput } from '../model/index.ts'
import type { Checkout } from '../platform/index.ts'
import { readCheckout, readNamedFile } from '../platform/index.ts'
import { usageError } from './io.ts'

export interface RequestOptions {
  config?: string
  job?: string
  parallelism?: number
  org?: string
  repo?: string
  branch?: string
  repoUrl?: string
  sha?: string
  executor?: 'host'
}

export interface PlannedRequest {
  request: BuildRequestInput
  /** The checkout that `checkout` steps get as a bundle; null when the source comes from elsewhere. */
  bundleFrom: Checkout | null
  warnings: string[]
}

/** Tried in this order below the top of the checkout, else below the current folder. */
const CONFIG_FILES = ['.circleci/config.yml', '.caravan/config.yml']

/** @throws CaravanError INPUT_INVALID when there is no configuration file, or the flags do not fit. */
export async function planRequest(options: RequestOptions, cwd: string): Promise<PlannedRequest> {
  if (options.repoUrl !== undefined && options.sha === undefined) {
    throw usageError('--repo-url needs --sha: which commit of that repository shall be built?')
  }
  if (options.sha !== undefined && options.repoUrl === undefined) {
    throw usageError('--sha needs --repo-url: without one, HEAD of this checkout is built')
  }
  const checkout = await readCheckout(cwd)
  const config = await readConfig(options.config, cwd, checkout)
  const remote = options.repoUrl
  const bundleFrom = remote === undefined ? checkout : null
  if (bundleFrom?.shallow) {
    throw usageError(
      'this checkout is shallow, its history is not here: run `git fetch --unshallow` first, or name --repo-url and --sha',
    )
  }
  return {
    request: {
      config: config.text,
      config_file: config.name,
      ...(options.job === undefined ? {} : { job: options.job }),
      ...(options.parallelism === undefined ? {} : { parallelism: options.parallelism }),
      org: options.org ?? checkout?.org ?? 'local',
      repo: options.repo ?? checkout?.repo ?? basename(cwd),
      branch: options.branch ?? checkout?.branch ?? 'HEAD',
      sha: options.sha ?? checkout?.sha ?? '',
      ...(options.executor === undefined ? {} : { executor: options.executor }),
      source: remote === undefined ? { kind: 'none' } : { kind: 'git', url: remote },
    },
    bundleFrom,
    warnings: bundleFrom === null ? [] : warnOfCheckout(bundleFrom),
  }
}

/**
 * @param given path of the file; without one the usual places are tried.
 * @throws CaravanError INPUT_INVALID when there is no such file.
 */
export async function readConfig(
  given: string | undefined,
  cwd: string,
  checkout: Checkout | null,
): Promise<{ text: string; name: string }> {
  const top = checkout?.root ?? cwd
  const candidates =
    given === undefined ? CONFIG_FILES.map((name) => join(top, name)) : [resolve(cwd, given)]
  for (const file of candidates) {
    const text = await readOptional(file)
    if (text !== null) return { text, name: nameOf(file, cwd) }
  }
  throw usageError(
    given === undefined
      ? `there is no ${CONFIG_FILES.join(' or ')} in ${top}: name one with --config`
      : `there is no file ${given}`,
  )
}

/** As short as a person would write it. */
function nameOf(file: string, cwd: string): string {
  const name = relative(cwd, file)
  return name === '' || name.startsWith('..') ? file : name
}

async function readOptional(file: string): Promise<string | null> {
  try {
    return await readNamedFile(file)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw usageError(`cannot read ${file}: ${(cause as Error).message}`)
  }
}

function warnOfCheckout({ sha, dirtyCount, submodules }: Checkout): string[] {
  const warnings: string[] = []
  if (dirtyCount > 0) {
    const files =
      dirtyCount === 1 ? '1 changed or new file is' : `${dirtyCount} changed or new files are`
    warnings.push(`building ${sha.slice(0, 12)}: ${files} not committed and not part of it`)
  }
  if (submodules) {
    warnings.push(
      'submodules are not sent along: let a step run `git submodule update --init`, or name --repo-url and --sha',
    )
  }
  return warnings
}
