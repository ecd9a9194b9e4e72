/** What the conformance flows run against. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { talkTo } from '../dev/nomad-engine/support.ts'

export interface Target extends ReturnType<typeof talkTo> {
  name: string
  url: string
  /** The `nomad` program, where there is one. */
  cli: string | null
}

export function toTarget(name: string, url: string): Target {
  return { name, url, cli: findNomad(), ...talkTo(url) }
}

/** NOMAD_BIN, else `nomad` on the PATH. */
export function findNomad(): string | null {
  const named = process.env['NOMAD_BIN']
  if (named) return named
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, 'nomad')).find((file) => existsSync(file)) ?? null
}

export interface CliResult {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs the real CLI against the target. It is killed when it takes too long, and its code is null. */
export function runCli(
  target: Target,
  args: readonly string[],
  options: { timeoutMs?: number } = {},
): Promise<CliResult> {
  if (target.cli === null) throw new Error('there is no nomad program')
  const child = spawn(target.cli, args, {
    env: { PATH: process.env['PATH'], NOMAD_ADDR: target.url, NOMAD_CLI_NO_COLOR: '1' },
    // With a pipe on stdin `nomad operator api` would send what comes, and POST it.
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 20_000,
    killSignal: 'SIGKILL',
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/**
 * Runs the real CLI, and throws with all it said unless it ends with the code and its output has what is
 * wanted. @returns its output.
 */
export function createExpectCli(target: Target) {
  return async (args: string[], code: number, ...wanted: (string | RegExp)[]): Promise<string> => {
    const result = await runCli(target, args)
    const isWanted = wanted.every((each) =>
      typeof each === 'string' ? result.stdout.includes(each) : each.test(result.stdout),
    )
    if (result.code === code && isWanted) return result.stdout
    const text = `nomad ${args.join(' ')}\n${result.stdout}${result.stderr}`
    throw new Error(`not as expected (exit code ${result.code}): ${text}`)
  }
}
