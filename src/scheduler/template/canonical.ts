/** One spelling of a job, so that two of them can be compared by their bytes. */
import { createHash } from 'node:crypto'
import type { NomadJob } from '../../nomad/index.ts'

/** JSON with the keys in order, as UTF-8. */
export function canonicalBytes(job: NomadJob): Buffer {
  return Buffer.from(JSON.stringify(job, sortKeys))
}

/** Hex SHA-256 of the canonical bytes. */
export function hashJob(job: NomadJob): string {
  return createHash('sha256').update(canonicalBytes(job)).digest('hex')
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
