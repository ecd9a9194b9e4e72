/** What a checkout says of itself, and its history as a bundle that a build can be made from. */
import { basename, join } from 'node:path'
import { CaravanError } from '../model/index.ts'
import { exec } from './exec.ts'

export interface Checkout {
  /** Top folder. */
  root: string
  sha: string
  /** Null on a detached HEAD. */
  branch: string | null
  /** Null without a remote, or when its URL tells neither. */
  org: string | null
  repo: string
  /** Files that differ from HEAD or are not known to git; a new folder counts once. */
  dirtyCount: number
  shallow: boolean
  /** Whether HEAD names submodules, which no bundle holds. */
  submodules: boolean
}

const GIT_TIMEOUT_MS = 30_000
/** A bundle of a large history takes its time. */
const BUNDLE_TIMEOUT_MS = 600_000

/** @returns null when the folder is in no git repository, or in one without a commit. */
export async function readCheckout(folder: string): Promise<Checkout | null> {
  const root = await git(folder, ['rev-parse', '--show-toplevel'])
  const sha = await git(folder, ['rev-parse', '--verify', '--quiet', 'HEAD'])
  if (root === null || sha === null) return null
  const [branch, remote, status, shallow, modules] = await Promise.all([
    git(folder, ['symbolic-ref', '--quiet', '--short', 'HEAD']),
    git(folder, ['config', '--get', 'remote.origin.url']),
    git(folder, ['status', '--porcelain', '--untracked-files=normal']),
    git(folder, ['rev-parse', '--is-shallow-repository']),
    git(folder, ['rev-parse', '--verify', '--quiet', 'HEAD:.gitmodules']),
  ])
  const names = remote === null ? null : parseRemote(remote)
  return {
    root,
    sha,
    branch,
    org: names?.org ?? null,
    repo: names?.repo ?? basename(root),
    dirtyCount: status ? status.split('\n').length : 0,
    shallow: shallow === 'true',
    submodules: modules !== null,
  }
}

/**
 * The last two path elements of a hosting service's URL, `git@host:org/repo.git` included. A path on
 * this machine names no organisation, so it gives null.
 */
export function parseRemote(url: string): { org: string; repo: string } | null {
  const remotePath =
    /^[a-z][a-z+]*:\/\/[^/]+\/(.+)$/.exec(url)?.[1] ?? /^[^/:]+:([^/].*)$/.exec(url)?.[1]
  if (remotePath === undefined || url.startsWith('file:')) return null
  const parts = remotePath
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .split('/')
  const [org, repo] = parts.slice(-2)
  return org && repo ? { org, repo } : null
}

/**
 * Writes HEAD and its history as a git bundle.
 *
 * @returns the file's path, inside `folder`.
 * @throws CaravanError INPUT_INVALID when git refuses.
 */
export async function writeBundle(checkout: Checkout, folder: string): Promise<string> {
  const file = join(folder, `${checkout.sha}.bundle`)
  const args = ['bundle', 'create', '--quiet', file, 'HEAD']
  const result = await exec('git', args, { cwd: checkout.root, timeoutMs: BUNDLE_TIMEOUT_MS })
  if (result.code === 0) return file
  throw new CaravanError(
    'INPUT_INVALID',
    `git cannot bundle ${checkout.root}: ${result.stderr.trim()}`,
  )
}

/** One question to git; null when it answers with an error. */
async function git(cwd: string, args: readonly string[]): Promise<string | null> {
  const result = await exec('git', args, { cwd, timeoutMs: GIT_TIMEOUT_MS })
  return result.code === 0 ? result.stdout.toString('utf8').trim() : null
}
