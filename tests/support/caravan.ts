/** Runs the program as a user does: its own process, its own arguments, a checkout to stand in. */
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const BIN = fileURLToPath(new URL('../../bin/caravan.mjs', import.meta.url))

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface Started {
  child: ChildProcess
  /** Resolves with the first line on stdout; rejects when the program ends before it. */
  firstLine: Promise<string>
  ended: Promise<Ended>
}

export interface StartOptions {
  timeoutMs?: number
  env?: Readonly<Record<string, string>>
}

/** Longer than any of the flows takes on a slow machine; a flow that hangs is killed and fails. */
const FLOW_TIMEOUT_MS = 60_000

export function startCaravan(
  args: readonly string[],
  cwd: string,
  { timeoutMs = FLOW_TIMEOUT_MS, env = {} }: StartOptions = {},
): Started {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd,
    env: { ...withoutOwnSettings(process.env), CI: 'true', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  let stdout = ''
  let stderr = ''
  const ended = new Promise<Ended>((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      const end = stdout.indexOf('\n')
      if (end >= 0) resolve(stdout.slice(0, end))
    })
    void ended.then(({ code }) => reject(new Error(`ended with ${code}: ${stderr}`)))
  })
  // A flow that only waits for the end must not fail for a line that never came.
  firstLine.catch(() => undefined)
  return { child, firstLine, ended }
}

export function caravan(args: readonly string[], cwd: string): Promise<Ended> {
  return startCaravan(args, cwd).ended
}

/** Turns a folder into a checkout with these files committed. */
export function makeCheckout(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder })
  git('init', '-q', '-b', 'main')
  git('add', '-A')
  git('-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit', '-q', '-m', 'one')
  return folder
}

/** The last line of `caravan run --json`. */
export interface BuildLine {
  type: string
  id: string
  number: number
  state: string
  reason: string | null
  slices: {
    index: number
    nomad_job_id: string
    state: string
    reason: string | null
    steps: { name: string; state: string; exit_code: number | null; seconds: number | null }[]
  }[]
}

export function lastLine(stdout: string): string {
  return stdout.trimEnd().split('\n').at(-1) ?? ''
}

export function toBuildLine(stdout: string): BuildLine {
  return JSON.parse(lastLine(stdout)) as BuildLine
}

function withoutOwnSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isOwn = (name: string) => /^(CARAVAN_|NOMAD_|TAP)/.test(name)
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isOwn(name)))
}
