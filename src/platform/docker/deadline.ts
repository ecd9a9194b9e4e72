/** Calls to Docker that end: an answer, a refusal in Docker's own words, or a deadline. */
import { CaravanError } from '../../model/index.ts'

/** A busy engine takes seconds to start a container; one that hangs never answers. */
const CALL_MS = 60_000

/**
 * @param what for the message: "could not" goes before it.
 * @throws CaravanError DOCKER_FAILED; `detail.status` is that of Docker's answer, 0 when there was none.
 */
export async function withDeadline<T>(
  what: string,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    controller.abort()
    late.reject(new Error(`no answer within ${CALL_MS / 1000} s`))
  }, CALL_MS)
  try {
    return await Promise.race([call(controller.signal), late.promise])
  } catch (cause) {
    const { status, text } = readAnswer(cause)
    throw new CaravanError('DOCKER_FAILED', `could not ${what}: ${text}`, {
      cause,
      detail: { status, text },
    })
  } finally {
    clearTimeout(timer)
  }
}

/** That there is nothing is an answer. */
export async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (cause) {
    if (readStatus(cause) === 404) return null
    throw cause
  }
}

/** @param statuses of answers that are as good as a yes. */
export async function ignoring(
  statuses: readonly number[],
  run: () => Promise<unknown>,
): Promise<void> {
  try {
    await run()
  } catch (cause) {
    if (!statuses.includes(readStatus(cause))) throw cause
  }
}

/** Of Docker's answer; 0 when there was none. */
function readStatus(cause: unknown): number {
  const status = cause instanceof CaravanError ? cause.detail['status'] : undefined
  return typeof status === 'number' ? status : 0
}

/** What the library puts before Docker's own words; the status of an engine is not that of a registry. */
const PREFIX = /^\(HTTP code \d+\) [\w ]*- /

/** The library puts status and body of an answer into its errors. */
function readAnswer(cause: unknown): { status: number; text: string } {
  if (!(cause instanceof Error)) return { status: 0, text: String(cause) }
  const { statusCode, json } = cause as Error & { statusCode?: unknown; json?: unknown }
  const told = (json as { message?: unknown } | null | undefined)?.message
  return {
    status: typeof statusCode === 'number' ? statusCode : 0,
    text: typeof told === 'string' ? told.trim() : cause.message.replace(PREFIX, '').trim(),
  }
}
