/** A Python environment with moto, boto3 and the `aws` command, made once and kept in the cache folder of the dependencies. */
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '../../support/free-port.ts'

const run = promisify(execFile)

const FOLDER = fileURLToPath(new URL('../../../node_modules/.cache/moto', import.meta.url))

/** moto: the release whose answers the table of differences was made from. awscli brings its own botocore. */
const PACKAGES = ['moto[server]==5.2.1', 'boto3', 'awscli==1.46.2']

/** Downloading and unpacking on a slow machine. */
const INSTALL_MS = 200_000

/** @returns the interpreter, or why there is none. */
export async function findPython(): Promise<{ python: string } | { reason: string }> {
  const python = join(FOLDER, 'bin/python')
  const check = () =>
    run(python, ['-c', 'import moto.server, boto3, awscli'], { timeout: INSTALL_MS })
  try {
    await check()
    return { python }
  } catch {
    // Not made yet, or by another Python.
  }
  try {
    await run('python3', ['-m', 'venv', '--clear', FOLDER], { timeout: INSTALL_MS })
    // Compiling all of it takes longer than all that is done with it.
    const flags = ['--quiet', '--no-compile', '--disable-pip-version-check']
    const install = ['-m', 'pip', 'install', ...flags, ...PACKAGES]
    await run(python, install, { timeout: INSTALL_MS })
    await check()
    return { python }
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    return { reason: text.split('\n').slice(0, 3).join(' ') }
  }
}

/** Where the commands of that environment are, such as `aws`. */
export const COMMANDS = join(FOLDER, 'bin')

export interface MotoServer {
  url: string
  stop(): Promise<void>
}

const START_MS = 60_000
const POLL_MS = 100

export async function startMoto(python: string): Promise<MotoServer> {
  const port = await freePort()
  const args = ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)]
  const child = spawn(python, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4000)))
  const url = `http://127.0.0.1:${port}`
  const deadline = Date.now() + START_MS
  while (!(await answers(url))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop(child)
      throw new Error(`moto did not start: ${stderr}`)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return { url, stop: () => stop(child) }
}

/** @returns what the script printed. */
export async function runPython(
  python: string,
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout } = await run(python, ['-c', script], {
    timeout: 120_000,
    env: { PATH: process.env['PATH'], ...env },
  })
  return stdout
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/moto-api/`)
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await ended
}
