/** Runs a program to its end and gathers what it printed. For helpers such as git, not for steps. */
import { spawn } from 'node:child_process'
import { CaravanError } from '../model/index.ts'

export interface ExecResult {
  /** Null when a signal ended it. */
  code: number | null
  stdout: Buffer
  stderr: string
}

export interface ExecOptions {
  cwd?: string
  /** The whole environment of the program; the caller's own when absent. */
  env?: Record<string, string>
  timeoutMs: number
  /** Output beyond it ends the program. */
  outputBytesMax?: number
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

/** @throws CaravanError INPUT_INVALID when there is no such program, TIMED_OUT, TOO_LARGE. */
export function exec(
  file: string,
  args: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    let bytes = 0
    const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes > (options.outputBytesMax ?? OUTPUT_BYTES_MAX)) child.kill('SIGKILL')
    }
    child.stdout.on('data', keep(stdout))
    child.stderr.on('data', keep(stderr))
    child.on('error', (cause) =>
      reject(new CaravanError('INPUT_INVALID', `cannot run ${file}`, { cause })),
    )
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') {
        const tooLarge = bytes > (options.outputBytesMax ?? OUTPUT_BYTES_MAX)
        const why = tooLarge ? 'printed too much' : 'took too long'
        reject(new CaravanError(tooLarge ? 'TOO_LARGE' : 'TIMED_OUT', `${file} ${why}`))
        return
      }
      const text = Buffer.concat(stderr).toString('utf8')
      resolve({ code, stdout: Buffer.concat(stdout), stderr: text })
    })
  })
}
