/**
 * The `checkout` step: git, run so that its output is the step's.
 *
 * Without submodules, and without automatic garbage collection in the middle of a build. Git gets the
 * environment of the host, not that of the job: a variable that breaks git must not look like a missing
 * commit.
 */
import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CaravanError, type CheckoutStep } from '../../model/index.ts'
import { type Environment, MARKER_NAME } from '../environment.ts'
import { expandHome } from '../paths.ts'
import type { JobContext, StepIo } from './context.ts'
import { downloadSource } from './download.ts'
import { toSshCommand } from './known-hosts.ts'
import { failed, type StepOutcome, toEndingReason } from './outcome.ts'
import { readSecrets, redactUrl } from './redact.ts'

/** Questions to git that read the repository only. */
const QUESTION_TIMEOUT_MS = 60_000
/** Abbreviated too: git knows what they stand for once it has the history. */
const COMMIT = /^[0-9a-f]{7,64}$/
/** Its partial fetches are broken. */
const NO_FILTER_VERSION = '2.41.0'

/** @throws CaravanError INPUT_INVALID when the build names no commit that git could find. */
export async function checkout(
  context: JobContext,
  step: CheckoutStep,
  io: StepIo,
): Promise<StepOutcome> {
  const { source, build } = context.task
  const { executor, workspace, place } = context
  if (source.kind === 'none') {
    io.output.line(
      'caravan: this build has no source: give a repository, or run it from a checkout',
    )
    return failed('checkout')
  }
  if (!COMMIT.test(build.sha)) {
    throw new CaravanError('INPUT_INVALID', `"${build.sha}" is no commit id of git`)
  }
  const target = resolve(place.workingDirectory, expandHome(step.path ?? '.', place.home))
  const content = await executor.lookInto(target)
  if (content === 'other') {
    io.output.line(
      `caravan: ${target} is not empty and no git repository: nothing is checked out over it`,
    )
    return failed('checkout')
  }
  await executor.makeFolder(target)
  const knownHosts = join(workspace.scriptsDir, 'known_hosts')
  const ssh = await toSshCommand(knownHosts, executor.pathOf(knownHosts))
  const git = createGit(context, io, { target, ssh })
  if ((await git.ask(['--version'])) === null) {
    io.output.line('caravan: there is no git where the steps run, and checkout needs it')
    return failed('checkout')
  }
  const isRepository = content === 'repository'
  const ready = await prepare(context, git, isRepository)
  if (ready !== null) return ready
  const fetched =
    source.kind === 'bundle'
      ? await unbundle(context, git, source.id)
      : await fetch(context, git, { url: source.url, isRepository, io })
  return fetched ?? (await git.try('checkout', await toCheckoutArgs(git, build))) ?? SUCCEEDED
}

const SUCCEEDED: StepOutcome = { state: 'succeeded', exitCode: 0, signal: null, reason: null }

interface Git {
  /** Runs a command whose line and output the user sees. @returns null when it succeeded. */
  try(verb: string, args: readonly string[]): Promise<StepOutcome | null>
  /** Asks something that the user need not see. @returns null when git says no. */
  ask(args: readonly string[]): Promise<string | null>
}

function createGit(
  { executor, place }: JobContext,
  io: StepIo,
  { target, ssh }: { target: string; ssh: string },
): Git {
  const env: Environment = {
    // What the node has set up for its own ssh comes before ours.
    ...(executor.environment['GIT_SSH'] === undefined ? { GIT_SSH_COMMAND: ssh } : {}),
    ...executor.environment,
    HOME: place.home,
    // Nobody is there to answer.
    GIT_TERMINAL_PROMPT: '0',
    [MARKER_NAME]: place.internalDir,
  }
  return {
    async try(verb, args) {
      io.output.line(`$ git ${[verb, ...args].join(' ')}`)
      const outcome = await io.run({ argv: ['git', verb, ...args], cwd: target, env })
      if (outcome.state === 'succeeded') return null
      return outcome.state === 'failed' ? { ...outcome, reason: 'checkout' } : outcome
    },
    async ask(args) {
      const question = { argv: ['git', ...args], cwd: target, env }
      const result = await executor.ask(question, QUESTION_TIMEOUT_MS)
      return result.code === 0 ? result.stdout.toString('utf8').trim() : null
    },
  }
}

async function prepare(
  context: JobContext,
  git: Git,
  isRepository: boolean,
): Promise<StepOutcome | null> {
  const broken = isRepository ? null : await git.try('init', ['--quiet'])
  if (broken !== null) return broken
  await git.ask(['config', 'gc.auto', '0'])
  const url = context.environment['CIRCLE_REPOSITORY_URL']
  if (url !== undefined) await setOrigin(context, git, url)
  return null
}

/** Makes the checkout look like a clone, and keeps the credentials of the address out of sight. */
async function setOrigin({ mask }: JobContext, git: Git, url: string): Promise<void> {
  mask.add(readSecrets(url))
  await git.ask(['config', 'remote.origin.url', url])
  await git.ask(['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'])
}

async function unbundle(context: JobContext, git: Git, id: string): Promise<StepOutcome | null> {
  const { bundleFile } = context.workspace
  const shown = context.executor.pathOf(bundleFile)
  if (!(await exists(bundleFile)) && !(await downloadSource(context, id))) {
    return {
      ...SUCCEEDED,
      state: 'canceled',
      exitCode: null,
      reason: toEndingReason(context.ending.cause),
    }
  }
  return await git.try('bundle', ['unbundle', shown])
}

async function fetch(
  context: JobContext,
  git: Git,
  { url, isRepository, io }: { url: string; isRepository: boolean; io: StepIo },
): Promise<StepOutcome | null> {
  const { sha } = context.task.build
  io.output.line(`origin is ${redactUrl(url)}`)
  await setOrigin(context, git, url)
  const all = ['--force', '--tags', 'origin']
  // File contents come when they are checked out; most of a long history is never looked at.
  const isPartial = !isRepository && !(await git.ask(['--version']))?.includes(NO_FILTER_VERSION)
  const partial = isPartial ? await git.try('fetch', ['--filter=blob:none', ...all]) : null
  const whole = !isPartial || partial?.state === 'failed' ? await git.try('fetch', all) : partial
  if (whole !== null) return whole
  // A commit that no branch or tag holds, such as that of a pull request, is asked for by name.
  const has = await git.ask(['cat-file', '-e', `${sha}^{commit}`])
  return has === null ? await git.try('fetch', ['--force', 'origin', sha]) : null
}

/** On the branch when git takes its name, else on the bare commit. */
async function toCheckoutArgs(
  git: Git,
  { branch, sha }: { branch: string; sha: string },
): Promise<string[]> {
  const isName = (await git.ask(['check-ref-format', '--branch', branch])) !== null
  return isName ? ['--force', '-B', branch, sha, '--'] : ['--force', '--detach', sha, '--']
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
