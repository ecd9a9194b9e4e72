/** Kinds of values in the settings: texts in the file, numbers here. */
import { z } from 'zod'
import { parseDurationMs, parseSizeBytes } from './units.ts'

/** What was written, cut when long. */
const shown = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}...` : text)

/** Milliseconds, from `"10m"`. */
export const duration = z.string().transform((text, context) => {
  const ms = parseDurationMs(text)
  if (ms !== null && ms > 0) return ms
  context.addIssue({
    code: 'custom',
    message: `not a duration such as "10m" or "1h30m": "${shown(text)}"`,
  })
  return z.NEVER
})

/** Bytes, from `"1GiB"`. */
export const size = z.string().transform((text, context) => {
  const bytes = parseSizeBytes(text)
  if (bytes !== null && bytes > 0) return bytes
  context.addIssue({ code: 'custom', message: `not a size such as "1GiB": "${shown(text)}"` })
  return z.NEVER
})
