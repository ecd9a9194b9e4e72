/** Kinds of parameters: as texts from a form, or as values from a caller in this process. */
import { z } from 'zod'

export function text(min = 1, max = 1600) {
  return z.string().min(min).max(max)
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER) {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value),
    z.number().int().min(min).max(max),
  )
}

export const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean(),
)

/** @returns milliseconds since 1970. */
export const time = z
  .union([z.date(), z.string().transform((value) => new Date(value))])
  .refine((value) => Number.isFinite(value.getTime()), 'is no time')
  .transform((value) => value.getTime())

/** An empty list arrives as an empty text. */
export function list<Item extends z.ZodType>(item: Item, max = 1000) {
  return z.preprocess((value) => (value === '' ? [] : value), z.array(item).max(max))
}

export const groupName = text(1, 255)

/** A real one has 19 characters, a foreign one may be anything. */
export const instanceId = text(1, 64)

export const filters = list(z.object({ Name: text(), Values: list(z.string()).default([]) }))
export type Filters = z.infer<typeof filters>

/** `*` stands for any text and `?` for one character, as in all filters of EC2. */
export function matches(pattern: string, value: string): boolean {
  if (pattern === value) return true
  if (!pattern.includes('*') && !pattern.includes('?')) return false
  const parts = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`^${parts.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(value)
}
