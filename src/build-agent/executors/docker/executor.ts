/** Runs steps in the primary container of a job. */
import { lstat, statfs } from 'node:fs/promises'
import { CaravanError } from '../../../model/index.ts'
import { deadline, type ExecResult } from '../../../platform/index.ts'
import type { Environment } from '../../environment.ts'
import { findOomCounter, type OomKills } from '../../process/oom.ts'
import type { Command } from '../../process/launch.ts'
import { resolveWorkingDirectory } from '../../paths.ts'
import { defaultShell } from '../../shell.ts'
import type { Executor, FolderContent } from '../executor.ts'
import { startCommand, type CommandDeps } from './command.ts'
import { exec } from './exec.ts'
import type { JobContainers } from './job-containers.ts'
import { LOOK, MAKE_FOLDER, PROBE } from './scripts.ts'
import { isInContainer } from './signals.ts'

export interface ContainerPlace extends CommandDeps {
  containers: JobContainers
  /** Of the container: its image, proxies, its own. */
  environment: Environment
  /** Of the job, as the configuration has it. */
  workingDirectory: string
}

/** What an image turned out to have. */
export interface Probed {
  home: string
  has: ReadonlySet<string>
}

const QUESTION_MS = 60_000
const ANSWER_BYTES_MAX = 1024 * 1024

/** @throws CaravanError INPUT_INVALID when no step can run there. */
export async function probe(place: ContainerPlace): Promise<Probed> {
  const { engine, container, image, environment, workingDirectory } = place
  const needs = `the image ${image} can not run a step, which needs /bin/sh`
  const answer = await ask(
    place,
    { argv: ['/bin/sh', '-c', PROBE, workingDirectory], cwd: '/', env: environment },
    QUESTION_MS,
  ).catch(async (cause: unknown) => {
    const facts = await engine.container(container)
    if (facts === null || facts.isRunning) throw cause
    const told = (await engine.logs(container, 5).catch(() => '')).toString().trim()
    const ended = `its main process ended at once with exit code ${facts.exitCode}`
    throw new CaravanError('INPUT_INVALID', `${needs}: ${ended}${told === '' ? '' : `: ${told}`}`)
  })
  const text = answer.stdout.toString('utf8')
  if (answer.code !== 0) throw new CaravanError('INPUT_INVALID', `${needs}: ${text.trim()}`)
  const lines = text.split('\n')
  const home = lines.find((line) => line.startsWith('home='))?.slice('home='.length) ?? ''
  return { home: home === '' ? '/' : home, has: new Set(lines) }
}

export async function createDockerExecutor(
  place: ContainerPlace,
  { home, has }: Probed,
): Promise<Executor> {
  const { engine, container, containers, bridge } = place
  const environment: Environment = { ...place.environment, HOME: home }
  const script = async (text: string, argument: string) =>
    await ask(
      place,
      { argv: ['/bin/sh', '-c', text, argument], cwd: '/', env: environment },
      QUESTION_MS,
    )
  const countOomKills = await createOomCounter(place)
  // What the probe has made. Where it could not, the question is asked again for its answer.
  const made = has.has('folder') ? resolveWorkingDirectory(place.workingDirectory, home) : null
  let started = 0
  return {
    environment,
    home,
    shell: defaultShell({ hasBash: has.has('bash'), shKnowsPipefail: has.has('pipefail') }),
    pathOf: (file) => bridge.pathOf(file),
    async start(command, output) {
      started += 1
      return await startCommand(place, String(started), command, output)
    },
    ask: async (question, timeoutMs) => await ask(place, question, timeoutMs),
    // The wrapper of a command finds out, and a question takes longer than most commands need to start.
    isFolder: async () => true,
    async lookInto(path) {
      const answer = await script(LOOK, path)
      const content = answer.stdout.toString('utf8').trim()
      return isContent(content) ? content : 'other'
    },
    async makeFolder(path) {
      if (path === made) return
      const answer = await script(MAKE_FOLDER, path)
      if (answer.code === 0) return
      const message = `the working directory ${path} can not be made in the container: ${answer.stderr.trim()}`
      throw new CaravanError('INPUT_INVALID', message)
    },
    isHalted: async () => bridge.isHalted(),
    async freeBytes() {
      const folder = (await engine.container(container).catch(() => null))?.folder ?? null
      if (folder === null || (await lstat(folder).catch(() => null)) === null) return Infinity
      const { bavail, bsize } = await statfs(folder)
      return bavail * bsize
    },
    countOomKills,
    sweep: async () => await containers.removeContainers(),
    async close() {
      await containers.removeAll()
      bridge.close()
    },
  }
}

function isContent(text: string): text is FolderContent {
  return text === 'empty' || text === 'repository' || text === 'other'
}

/** Output of both streams is the answer. @throws CaravanError DOCKER_FAILED, TIMED_OUT or TOO_LARGE. */
async function ask(
  { engine, container, user, clock }: ContainerPlace,
  { argv, cwd, env }: Command,
  timeoutMs: number,
): Promise<ExecResult> {
  const words = ['/bin/sh', '-c', 'cd "$0" && exec "$@"', cwd, ...argv]
  const question = await exec(engine, container, {
    argv: words,
    environment: env,
    ...(user === undefined ? {} : { user }),
  })
  const limit = deadline(clock, timeoutMs)
  const stop = () => question.close()
  limit.signal.addEventListener('abort', stop, { once: true })
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of question.output) {
      bytes += part.length
      if (bytes > ANSWER_BYTES_MAX)
        throw new CaravanError('TOO_LARGE', `${argv[0]} printed too much`)
      parts.push(part)
    }
  } catch (cause) {
    if (!limit.signal.aborted) throw cause
  } finally {
    limit.cancel()
    question.close()
  }
  if (limit.signal.aborted) throw new CaravanError('TIMED_OUT', `${argv[0]} took too long`)
  const code = (await engine.execFacts(question.id))?.exitCode ?? null
  const stdout = Buffer.concat(parts)
  return { code, stdout, stderr: stdout.toString('utf8') }
}

/** Docker's own flag first, then what the kernel counts in the group of the container. */
async function createOomCounter({
  engine,
  container,
}: ContainerPlace): Promise<Executor['countOomKills']> {
  const pid = (await engine.container(container))?.pid ?? 0
  const isHere = pid > 1 && (await isInContainer(pid, container))
  const count = isHere ? await findOomCounter(container, '/proc/self', `/proc/${pid}`) : null
  return async (): Promise<OomKills> => {
    const facts = await engine.container(container).catch(() => null)
    const kernel = (await count?.())?.count ?? 0
    return { count: kernel + (facts?.isOutOfMemory ? 1 : 0), isOurs: true }
  }
}
