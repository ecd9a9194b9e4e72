/** What a command may touch of the process it runs in, and how an error becomes text and an exit code. */
import type { Problem } from '../model/index.ts'
import { CaravanError, ERRORS, formatProblem, isCaravanError } from '../model/index.ts'
import { describeCause } from '../platform/index.ts'
import { toSafeText } from './render/hostile.ts'

export interface Io {
  stdout: OutputStream
  stderr: OutputStream
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  /** Aborts with SIGINT or SIGTERM. A second signal ends the process at once. */
  signal: AbortSignal
}

export interface OutputStream {
  write(text: string | Uint8Array): boolean
  isTTY?: boolean
  destroyed?: boolean
  columns?: number
  rows?: number
  once(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

export const EXIT = {
  ok: 0,
  notSucceeded: 1,
  usage: 2,
  infrastructure: 3,
  interrupted: 130,
} as const

/** The error of a command line that makes no sense; ends the command with exit code 2. */
export function usageError(message: string): CaravanError {
  return new CaravanError('INPUT_INVALID', message)
}

/**
 * Says what went wrong: own sentence first, then every place, then the cause.
 *
 * @param program as people called it.
 * @returns the exit code.
 */
export function reportError(
  io: Pick<Io, 'stderr' | 'env'>,
  error: unknown,
  program = 'caravan',
): number {
  if (!isCaravanError(error)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    io.stderr.write(`${program}: this is a fault in Caravan itself:\n${text}\n`)
    return EXIT.infrastructure
  }
  // What a server says is written by others, too.
  io.stderr.write(`${program}: ${toSafeText(error.message)}\n`)
  for (const problem of readProblems(error)) {
    io.stderr.write(`  ${toSafeText(formatProblem(problem))}\n`)
  }
  if (error.cause !== undefined) {
    io.stderr.write(`  because: ${toSafeText(describeCause(error.cause))}\n`)
  }
  return ERRORS[error.code].exitCode
}

/** The places that an error names, if it names some. */
export function readProblems(error: CaravanError): Problem[] {
  const problems = error.detail['problems']
  return Array.isArray(problems) ? (problems as Problem[]) : []
}

/** Writes and waits until the reader has taken it, so that a slow pipe holds us back, not our memory. */
export async function write(stream: OutputStream, data: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.write(data)) return
  await new Promise<void>((resolve) => {
    const goOn = () => {
      stream.off('drain', goOn)
      stream.off('close', goOn)
      resolve()
    }
    stream.once('drain', goOn)
    // A reader that is gone takes nothing any more; whoever writes must still come to an end.
    stream.once('close', goOn)
  })
}

export function writeJsonLine(stream: OutputStream, value: unknown): Promise<void> {
  return write(stream, `${JSON.stringify(value)}\n`)
}
