/**
 * Lines of cron in a time zone of the IANA database: five fields, minute to day of the week.
 *
 * Pure: the zone's rules come from the tables of the JavaScript engine. As in cron, a day fits when it fits
 * either of day of month and day of week, if both are given. A time that the clocks skip fires when they
 * have skipped it; of a time that comes twice, the first one counts.
 */

export interface Cron {
  minutes: ReadonlySet<number>
  hours: ReadonlySet<number>
  days: ReadonlySet<number>
  months: ReadonlySet<number>
  weekdays: ReadonlySet<number>
  isAnyDay: boolean
  isAnyWeekday: boolean
}

const FIELDS = [
  { name: 'minute', from: 0, to: 59, names: [] },
  { name: 'hour', from: 0, to: 23, names: [] },
  { name: 'day of month', from: 1, to: 31, names: [] },
  {
    name: 'month',
    from: 1,
    to: 12,
    names: ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  // Sunday is 0 and 7.
  {
    name: 'day of week',
    from: 0,
    to: 7,
    names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
  },
] as const

/** @returns what is wrong with it, as a text, when it is no line of cron. */
export function parseCron(text: string): Cron | string {
  const parts = text.trim().split(/\s+/)
  if (parts.length !== FIELDS.length) return `has ${parts.length} fields instead of 5`
  const sets: Set<number>[] = []
  for (const [at, part] of parts.entries()) {
    const parsed = parseField(part, at)
    if (typeof parsed === 'string') return parsed
    sets.push(parsed)
  }
  const [minutes, hours, days, months, weekdays] = sets as [
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
  ]
  if (weekdays.delete(7)) weekdays.add(0)
  const [isAnyDay, isAnyWeekday] = [parts[2] === '*', parts[4] === '*']
  return { minutes, hours, days, months, weekdays, isAnyDay, isAnyWeekday }
}

function parseField(text: string, at: number): Set<number> | string {
  const field = FIELDS[at] ?? FIELDS[0]
  const values = new Set<number>()
  for (const part of text.split(',')) {
    const match = /^(?:\*|([\da-z]+)(?:-([\da-z]+))?)(?:\/(\d+))?$/i.exec(part)
    const wrong = `"${part}" is no ${field.name} from ${field.from} to ${field.to}`
    if (match === null) return wrong
    const [, first, last, every] = match
    const step = every === undefined ? 1 : Number(every)
    const from = first === undefined ? field.from : toNumber(first, field)
    const open = first === undefined || (every !== undefined && last === undefined)
    const to = open ? field.to : toNumber(last ?? first ?? '', field)
    if (!(from >= field.from && to <= field.to && from <= to && step > 0)) return wrong
    for (let value = from; value <= to; value += step) values.add(value)
  }
  return values
}

function toNumber(text: string, { names }: (typeof FIELDS)[number]): number {
  if (/^\d+$/.test(text)) return Number(text)
  const at = (names as readonly string[]).indexOf(text.toLowerCase())
  return at < 0 ? Number.NaN : at
}

export function isTimeZone(zone: string): boolean {
  try {
    return formatterOf(zone) !== null
  } catch {
    return false
  }
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** Beyond it, a line such as `0 0 30 2 *` never fires. */
const DAYS_BACK_MAX = 366 * 5

/** When it last fired, at or before now, as milliseconds since 1970; null when it did not for years. */
export function lastFiring(cron: Cron, zone: string, nowMs: number): number | null {
  // Wall-clock time, counted as if it were UTC: days and minutes can then be counted down.
  const wall = nowMs + offsetAt(zone, nowMs)
  const today = Math.floor(wall / DAY_MS) * DAY_MS
  // In the hour that comes twice, what is ahead by the wall clock may have fired in the first of the two.
  const lookAhead = 60 * MINUTE_MS
  for (let back = -1; back <= DAYS_BACK_MAX; back++) {
    const day = today - back * DAY_MS
    if (!fitsDay(cron, new Date(day))) continue
    for (const minute of minutesOf(cron)) {
      const at = day + minute * MINUTE_MS
      if (at > wall + lookAhead) continue
      const fired = toInstant(at, zone)
      if (fired <= nowMs) return fired
    }
  }
  return null
}

function fitsDay({ days, months, weekdays, isAnyDay, isAnyWeekday }: Cron, day: Date): boolean {
  if (!months.has(day.getUTCMonth() + 1)) return false
  const [byDay, byWeekday] = [days.has(day.getUTCDate()), weekdays.has(day.getUTCDay())]
  return isAnyDay || isAnyWeekday ? byDay && byWeekday : byDay || byWeekday
}

/** Of the day, latest first. */
function minutesOf({ hours, minutes }: Cron): number[] {
  const all = [...hours].flatMap((hour) => [...minutes].map((minute) => hour * 60 + minute))
  return all.sort((a, b) => b - a)
}

/** From wall-clock time, counted as if it were UTC. */
function toInstant(wall: number, zone: string): number {
  const [before, after] = [offsetAt(zone, wall - DAY_MS), offsetAt(zone, wall + DAY_MS)]
  const early = wall - before
  if (offsetAt(zone, early) === before) return early
  const late = wall - after
  // Neither fits a time that the clocks skip: with the old offset it is as much later as they skip.
  return offsetAt(zone, late) === after ? late : early
}

/** What to add to UTC for the zone's wall clock, in milliseconds. */
function offsetAt(zone: string, ms: number): number {
  const parts = formatterOf(zone).formatToParts(ms)
  const read = (type: string) => Number(parts.find((part) => part.type === type)?.value)
  const wall = Date.UTC(
    read('year'),
    read('month') - 1,
    read('day'),
    read('hour') % 24,
    read('minute'),
    read('second'),
  )
  return wall - Math.floor(ms / 1000) * 1000
}

const formatters = new Map<string, Intl.DateTimeFormat>()

/** Kept: making one takes longer than all that is asked of it. */
function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formatters.set(zone, made)
  return made
}
