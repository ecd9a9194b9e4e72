/** One spelling of a job, so that two of them can be compared by their bytes. */
import { hash } from 'node:crypto'
import type { NomadJob } from '../../nomad/index.ts'

/** JSON with the keys in order, as UTF-8. */
export function canonicalBytes(job: NomadJob): Buffer {
  return Buffer.from(toCanonical(job) ?? '')
}

/** Hex SHA-256 of the canonical bytes. */
export function hashJob(job: NomadJob): string {
  return hash('sha256', toCanonical(job) ?? '', 'hex')
}

/** Undefined for what JSON leaves out. */
function toCanonical(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  // What every slice has is one object that nobody can change, see compile.ts.
  if (!Object.isFrozen(value)) return toCanonicalTree(value)
  const known = frozen.get(value)
  if (known !== undefined) return known
  const text = toCanonicalTree(value)
  frozen.set(value, text)
  return text
}

const frozen = new WeakMap<object, string>()

function toCanonicalTree(value: object): string {
  if (Array.isArray(value)) return `[${value.map((each) => toCanonical(each) ?? 'null').join(',')}]`
  const object = value as Readonly<Record<string, unknown>>
  let text = ''
  for (const key of Object.keys(object).sort()) {
    const inner = toCanonical(object[key])
    if (inner !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${inner}`
  }
  return `{${text}}`
}
