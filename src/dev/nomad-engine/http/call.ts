/** One request, read; and the kinds of answer there are. */
import type { Readable } from 'node:stream'
import type { z } from 'zod'
import { Refusal } from '../operations/refusal.ts'

export interface Call {
  method: string
  url: string
  params: Readonly<Record<string, string>>
  query: URLSearchParams
  /** The text of the body, empty when there is none. */
  body: string
  /** Aborts when the caller goes away, or the engine closes. */
  signal: AbortSignal
}

export interface Reply {
  status: number
  headers: Record<string, string>
  body: string | Readable
}

export type Handler = (call: Call) => Reply | Promise<Reply>

/** By method. PUT answers POST as well, as everywhere in Nomad's API but where it says otherwise. */
export interface Methods {
  GET?: Handler
  PUT?: Handler
  DELETE?: Handler
  /** True where POST is refused. */
  putOnly?: true
}

/** By path, with `:name` for a segment that varies. */
export type Routes = Readonly<Record<string, Methods>>

export function json(call: Call, value: unknown, headers: Record<string, string> = {}): Reply {
  const pretty = call.query.get('pretty')
  const indent = pretty === null || pretty === '0' ? undefined : 4
  return {
    status: 200,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(value, null, indent),
  }
}

/** After a write: the index it happened at. */
export function written(call: Call, index: number, value: unknown): Reply {
  return json(call, value, { 'x-nomad-index': String(index) })
}

export function plain(status: number, text: string, headers: Record<string, string> = {}): Reply {
  const type = { 'content-type': 'text/plain; charset=utf-8' }
  return { status, headers: { ...type, ...headers }, body: text }
}

export function nothing(status: number): Reply {
  return { status, headers: {}, body: '' }
}

/** @throws Refusal 400 when the body is no JSON, or not of this shape. */
export function readBody<T extends z.ZodType>(call: Call, schema: T): z.infer<T> {
  if (call.body === '') throw new Refusal(400, 'Request body is empty')
  let value: unknown
  try {
    value = JSON.parse(call.body)
  } catch (cause) {
    throw new Refusal(400, cause instanceof Error ? cause.message : String(cause))
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.join('.') ?? ''
  throw new Refusal(400, `json: cannot unmarshal field ${place}: ${issue?.message ?? ''}`)
}

/** `stale`, `stale=true`, `stale=1`: present and not denied. @throws Refusal 400 */
export function readFlag(call: Call, name: string, fallback = false): boolean {
  const value = call.query.get(name)
  if (value === null) return fallback
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false
  const reason = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`
  throw new Refusal(400, `failed to parse ${name} field to boolean: ${reason}`)
}

/** @throws Refusal 400 with the given sentence. */
export function readInteger(call: Call, name: string, fallback: number, fault: string): number {
  const value = call.query.get(name)
  if (value === null || value === '') return fallback
  if (!/^\d{1,15}$/.test(value)) throw new Refusal(400, fault)
  return Number(value)
}

export const ALL_NAMESPACES = '*'

export function namespaceOf(call: Call): string {
  return call.query.get('namespace') || 'default'
}
