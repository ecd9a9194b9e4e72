/** JSON log lines through pino, for servers whose logs a machine reads. Loaded when first used. */
import type { LogWriter } from './log.ts'

export async function createJsonWriter(): Promise<LogWriter> {
  const { pino, destination, stdTimeFunctions } = await import('pino')
  // Synchronous: the last line before a crash is the one that matters.
  const logger = pino(
    { base: null, level: 'debug', timestamp: stdTimeFunctions.isoTime },
    destination({ dest: 2, sync: true }),
  )
  return (level, message, fields) => logger[level](fields, message)
}
