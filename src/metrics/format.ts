/**
 * Lines of the DogStatsD protocol, in its plain first version, which every receiver understands.
 *
 * Written here and not by a library: a NaN, a comma in a tag or a negative gauge must never leave the
 * process, since receivers take them for something else or refuse all that came with them.
 */
import { CaravanError } from '../model/index.ts'

/** Values that are empty, null or undefined are left out. */
export type Tags = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface Metric {
  name: string
  type: 'c' | 'g' | 'ms' | 'h' | 's' | 'd'
  value: number
  tags?: Tags
  /** What share of the events was kept. */
  rate?: number
  /** Unix seconds; only the Datadog Agent understands it. */
  timestamp?: number
}

export interface StatsdEvent {
  title: string
  text: string
  alert?: 'error' | 'warning' | 'info' | 'success'
  tags?: Tags
}

export interface ServiceCheck {
  name: string
  status: 0 | 1 | 2 | 3
  message?: string
  tags?: Tags
}

/** Of a name, and of a key, its colon and its value together. */
const LENGTH_MAX = 200
const DECIMALS_MAX = 6
/** As dashboards know them; the rest follows by the alphabet. Receivers key series by the whole text. */
const FIRST_TAGS: readonly string[] = ['drain', 'status']

/**
 * The name as every receiver takes it. Hyphens stay: names that dashboards know have them.
 *
 * @throws CaravanError INTERNAL for one that can not be mended: names come from our own table.
 */
export function checkMetricName(name: string): string {
  if (/^[A-Za-z]/.test(name) && name.length <= LENGTH_MAX) return name.replaceAll(/[^\w.-]/g, '_')
  throw new CaravanError('INTERNAL', `this can not be the name of a metric: "${name}"`)
}

/** @returns null for what must not be sent: no finite number, or a gauge that reads as a difference. */
export function formatMetric(metric: Metric): string | null {
  const { type, rate, timestamp } = metric
  const value = formatNumber(metric.value)
  if (value === null || (type === 'g' && value.startsWith('-'))) return null
  return [
    `${checkMetricName(metric.name)}:${value}`,
    type,
    ...(rate === undefined ? [] : [`@${rate}`]),
    ...toTagFields(metric.tags),
    ...(timestamp === undefined ? [] : [`T${timestamp}`]),
  ].join('|')
}

/** Lengths count the bytes of what is written, line breaks as two characters. */
export function formatEvent(event: StatsdEvent): string {
  const [title, text] = [escapeLines(event.title), escapeLines(event.text)]
  const lengths = `${Buffer.byteLength(title)},${Buffer.byteLength(text)}`
  return [
    `_e{${lengths}}:${title}`,
    text,
    ...(event.alert === undefined ? [] : [`t:${event.alert}`]),
    ...toTagFields(event.tags),
  ].join('|')
}

/** The message comes last: receivers take all that follows it for a part of it. */
export function formatServiceCheck(check: ServiceCheck): string {
  return [
    '_sc',
    checkMetricName(check.name),
    String(check.status),
    ...toTagFields(check.tags),
    ...(check.message === undefined ? [] : [`m:${escapeLines(check.message)}`]),
  ].join('|')
}

/** Tags in the order in which they are sent, as `key:value`. */
export function formatTags(tags: Tags): string[] {
  const place = (key: string) => {
    const first = FIRST_TAGS.indexOf(key)
    return first < 0 ? FIRST_TAGS.length : first
  }
  return Object.entries(tags)
    .map(([key, value]) => [checkTagKey(key), cleanTagValue(value)] as const)
    .sort(([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1))
    .map(([key, value]) => `${key}:${value}`.slice(0, LENGTH_MAX).replace(/:+$/, ''))
    .filter((tag) => tag.includes(':'))
}

/**
 * Keys are what labels of Prometheus may be, so that no receiver rewrites them.
 *
 * @throws CaravanError INTERNAL for any other.
 */
export function checkTagKey(key: string): string {
  const lower = key.toLowerCase()
  if (/^[a-z][a-z0-9_]*$/.test(lower) && lower.length <= LENGTH_MAX / 2) return lower
  throw new CaravanError('INTERNAL', `this can not be the key of a tag: "${key}"`)
}

function toTagFields(tags: Tags = {}): string[] {
  const all = formatTags(tags)
  return all.length === 0 ? [] : [`#${all.join(',')}`]
}

function cleanTagValue(value: Tags[string]): string {
  // A character outside the basic plane is one to people, and one mark is enough for it.
  return String(value ?? '').replaceAll(/[^\x21-\x7e]|[,|#@]/gu, '_')
}

function formatNumber(value: number): string | null {
  if (!Number.isFinite(value)) return null
  if (Number.isInteger(value)) return BigInt(value).toString()
  const text = value.toFixed(DECIMALS_MAX).replace(/\.?0+$/, '')
  return text === '-0' ? '0' : text
}

function escapeLines(text: string): string {
  return text.replaceAll(/\r?\n/g, String.raw`\n`)
}
