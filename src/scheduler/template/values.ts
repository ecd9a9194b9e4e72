/** The values of template variables, their types, and how they turn into what a job field takes. */

export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | readonly TemplateValue[]
  | { readonly [key: string]: TemplateValue }

/** `any` is what a variable has that names no type and whose default does not tell it. */
export type VariableType =
  | 'string'
  | 'number'
  | 'bool'
  | 'any'
  | { list: VariableType }
  | { map: VariableType }

/**
 * What a field of a job takes. `whole` is an integer, `duration` a text such as `"30s"` or a count of
 * nanoseconds, `texts` a list of texts, `map` texts by name.
 */
export type Kind = 'text' | 'whole' | 'flag' | 'duration' | 'texts' | 'map'

export type Converted<T extends TemplateValue = TemplateValue> =
  | { ok: true; value: T }
  | { ok: false; message: string }

const CONVERT: Readonly<Record<Kind, (value: TemplateValue) => Converted>> = {
  text: toText,
  whole: toWhole,
  flag: toFlag,
  duration: toNanoseconds,
  texts: (value) => toListOf(value, toText),
  map: (value) => toMapOf(value, toText),
}

/** As Nomad converts it: numbers and truth values become texts where a text is wanted, and back. */
export function toKind(kind: Kind, value: TemplateValue): Converted {
  return CONVERT[kind](value)
}

/** Converts to the type of a variable. */
export function toType(type: VariableType, value: TemplateValue): Converted {
  if (value === null || type === 'any') return { ok: true, value }
  if (type === 'string') return toText(value)
  if (type === 'number') return toNumber(value)
  if (type === 'bool') return toFlag(value)
  if ('list' in type) return toListOf(value, (item) => toType(type.list, item))
  return toMapOf(value, (item) => toType(type.map, item))
}

/** `list(string)`, as it is written in a template. */
export function formatType(type: VariableType): string {
  if (typeof type === 'string') return type
  return 'list' in type ? `list(${formatType(type.list)})` : `map(${formatType(type.map)})`
}

export function toText(value: TemplateValue): Converted<string> {
  if (typeof value === 'string') return { ok: true, value: value.normalize('NFC') }
  if (typeof value === 'boolean') return { ok: true, value: String(value) }
  if (typeof value === 'number') return { ok: true, value: formatNumber(value) }
  return refuse('a text', value)
}

/** Digits only, never `1e+21`, because that is how HCL writes a number into a text. */
function formatNumber(value: number): string {
  if (Number.isSafeInteger(value)) return String(value)
  if (Number.isInteger(value)) return BigInt(value).toString()
  const text = String(value)
  return text.includes('e') ? value.toFixed(20).replace(/0+$/, '') : text
}

function toNumber(value: TemplateValue): Converted<number> {
  if (typeof value === 'number' && Number.isFinite(value)) return { ok: true, value }
  if (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)) {
    return { ok: true, value: Number(value) }
  }
  return refuse('a number', value)
}

function toWhole(value: TemplateValue): Converted {
  const number = toNumber(value)
  return number.ok && !Number.isSafeInteger(number.value) ? refuse('a whole number', value) : number
}

function toFlag(value: TemplateValue): Converted {
  if (typeof value === 'boolean') return { ok: true, value }
  if (value === 'true' || value === 'false') return { ok: true, value: value === 'true' }
  return refuse('true or false', value)
}

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

function toNanoseconds(value: TemplateValue): Converted {
  if (typeof value === 'number') return toWhole(value)
  const total = typeof value === 'string' ? parseDuration(value) : null
  return total === null
    ? refuse('a duration such as "30s" or "1h30m"', value)
    : { ok: true, value: total }
}

/** Go's grammar: any number of amounts with units, days not among them, or a plain zero. */
function parseDuration(text: string): number | null {
  if (/^[+-]?0$/.test(text)) return 0
  if (!/^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return null
  let total = 0n
  for (const part of text.matchAll(/(\d*)\.?(\d*)(ns|us|µs|ms|s|m|h)/g)) {
    const [, whole = '', fraction = '', unit = ''] = part
    const size = NANOSECONDS[unit] ?? 0n
    total += BigInt(whole || '0') * size
    total += (BigInt(fraction || '0') * size) / 10n ** BigInt(fraction.length)
  }
  return Number(text.startsWith('-') ? -total : total)
}

function toListOf(value: TemplateValue, convert: (item: TemplateValue) => Converted): Converted {
  if (!Array.isArray(value)) return refuse('a list', value)
  const items: TemplateValue[] = []
  for (const item of value as readonly TemplateValue[]) {
    const converted = convert(item)
    if (!converted.ok) return converted
    items.push(converted.value)
  }
  return { ok: true, value: items }
}

function toMapOf(value: TemplateValue, convert: (item: TemplateValue) => Converted): Converted {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('a map', value)
  }
  const entries: [string, TemplateValue][] = []
  for (const [key, item] of Object.entries(value)) {
    const converted = convert(item)
    if (!converted.ok) return converted
    entries.push([key, converted.value])
  }
  return { ok: true, value: Object.fromEntries(entries) }
}

function refuse(wanted: string, value: TemplateValue): { ok: false; message: string } {
  const text = JSON.stringify(value)
  const shown = text.length > 40 ? `${text.slice(0, 40)}...` : text
  return { ok: false, message: `expected ${wanted}, not ${shown}` }
}
