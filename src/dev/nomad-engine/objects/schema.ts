/**
 * Building blocks for reading Nomad's JSON: a field that is absent or null takes its default.
 *
 * Nomad's own clients send `null` for everything they leave out.
 */
import { z } from 'zod'

export const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '')

export const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false)

export function integer(fallback: number) {
  return z
    .number()
    .int()
    .nullish()
    .transform((value) => value ?? fallback)
}

/** Nanoseconds, or another number that means something else when it is not there. */
export const optionalInteger = z
  .number()
  .int()
  .nullish()
  .transform((value) => value ?? null)

/** String to string; an empty map becomes null, as Nomad stores it. */
export const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => (value && Object.keys(value).length > 0 ? value : null))

/** An empty list becomes null, as Nomad stores it. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z
    .array(item)
    .nullish()
    .transform((value) => (value && value.length > 0 ? value : null))
}

/** Kept as it was sent. Empty lists and maps count as absent. */
export const opaque = z
  .unknown()
  .optional()
  .transform((value) => {
    if (value === null || value === undefined) return null
    const isEmpty = typeof value === 'object' && Object.keys(value).length === 0
    return isEmpty ? null : value
  })
