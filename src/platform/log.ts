/**
 * Logging: a fact, a stable message, data in fields.
 *
 * A small port of our own in front of pino, so that the agent (which writes plain lines that
 * `nomad alloc logs -stderr` shows) and the tests need no pino.
 */
import { isCaravanError } from '../model/index.ts'

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log that adds these fields to every line. */
  child(fields: LogFields): Log
}

/** `cause`, when it is an error, is written with its whole chain. */
export type LogFields = Readonly<Record<string, unknown>>

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** Where finished lines go. */
export type LogWriter = (level: LogLevel, message: string, fields: LogFields) => void

export function createLog(write: LogWriter, minimum: LogLevel = 'info', own: LogFields = {}): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(minimum)) return
      write(level, message, describe({ ...own, ...fields }))
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => createLog(write, minimum, { ...own, ...fields }),
  }
}

export const silentLog: Log = createLog(() => undefined)

/** One line of text per entry, for people: `12:00:01.234 warn agent reconnected gapMs=12`. */
export function createTextWriter(
  out: { write(text: string): unknown },
  now: () => number,
): LogWriter {
  return (level, message, fields) => {
    const time = new Date(now()).toISOString().slice(11, 23)
    const data = Object.entries(fields).map(([key, value]) => `${key}=${toText(value)}`)
    out.write(`${[time, level.padEnd(5), message, ...data].join(' ')}\n`)
  }
}

function describe(fields: LogFields): LogFields {
  if (!('cause' in fields)) return fields
  return { ...fields, cause: describeCause(fields['cause']) }
}

/** `outer: inner: innermost`, with the codes that operators search for. */
export function describeCause(cause: unknown, depth = 0): string {
  if (!(cause instanceof Error)) return String(cause)
  const code = isCaravanError(cause) ? cause.code : (cause as NodeJS.ErrnoException).code
  const own = code === undefined ? cause.message : `${cause.message} (${code})`
  // A chain that is longer than this is a cycle or tells nothing any more.
  if (cause.cause === undefined || depth >= 8) return own
  return `${own}: ${describeCause(cause.cause, depth + 1)}`
}

function toText(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
  return /[\s"]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text
}
