/** Cron expressions of five fields, in a time zone of the IANA list. */

const FIELDS = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12 },
  { name: 'day of week', min: 0, max: 7 },
] as const

const NAMES: readonly (readonly string[])[] = [
  [],
  [],
  [],
  ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
]

export interface Cron {
  minutes: ReadonlySet<number>
  hours: ReadonlySet<number>
  days: ReadonlySet<number>
  months: ReadonlySet<number>
  weekdays: ReadonlySet<number>
  /** With both days given, either one is enough; with one of them, that one decides. */
  anyDay: boolean
  anyWeekday: boolean
}

/** @returns null when the text is no such expression. */
export function parseCron(text: string): Cron | null {
  const parts = text.trim().split(/\s+/)
  if (parts.length !== FIELDS.length) return null
  const sets = parts.map((part, at) => parseField(part, at))
  const [minutes, hours, days, months, weekdays] = sets
  if (!minutes || !hours || !days || !months || !weekdays) return null
  // Sunday has two numbers.
  if (weekdays.has(7)) weekdays.add(0)
  const isAny = (part: string | undefined) => part === '*' || part === '?'
  return {
    minutes,
    hours,
    days,
    months,
    weekdays,
    anyDay: isAny(parts[2]),
    anyWeekday: isAny(parts[4]),
  }
}

function parseField(text: string, at: number): Set<number> | null {
  const field = FIELDS[at]
  if (field === undefined) return null
  const values = new Set<number>()
  for (const item of text.split(',')) {
    const match = /^(\*|\?|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(item)
    if (match === null) return null
    const [, first = '', last, step] = match
    const isAny = first === '*' || first === '?'
    const from = isAny ? field.min : toNumber(first, at)
    const to =
      isAny || (last === undefined && step !== undefined) ? field.max : toNumber(last ?? first, at)
    const stride = Number(step ?? 1)
    if (!(from >= field.min && to <= field.max && from <= to && stride > 0)) return null
    for (let value = from; value <= to; value += stride) values.add(value)
  }
  return values
}

function toNumber(text: string, at: number): number {
  const index = NAMES[at]?.indexOf(text.toLowerCase()) ?? -1
  if (index >= 0 && text !== '') return index
  return /^\d+$/.test(text) ? Number(text) : Number.NaN
}

const MINUTE_MS = 60_000

/** Long enough for the 29th of February in the worst case. */
const SEARCH_DAYS_MAX = 9 * 366

/**
 * The first moment after the given one, or null when there is none within nine years.
 *
 * Days are tried one by one and hours by the wall clock of the zone: a time that a clock change skips does
 * not come on that day, one that it repeats comes once.
 */
export function nextAfter(cron: Cron, afterMs: number, timeZone: string): number | null {
  const wall = createWallClock(timeZone)
  let at = Math.floor(afterMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS
  for (let days = 0; days <= SEARCH_DAYS_MAX;) {
    const now = wall(at)
    if (!isDay(cron, now)) {
      // To the next midnight of the zone, or an hour short of it where a clock change is in between.
      at += Math.max(1, 24 * 60 - now.hour * 60 - now.minute - 60) * MINUTE_MS
      while (wall(at).day === now.day) at += 15 * MINUTE_MS
      at -= (wall(at).hour * 60 + wall(at).minute) * MINUTE_MS
      days++
      continue
    }
    if (!cron.hours.has(now.hour)) {
      at += (60 - now.minute) * MINUTE_MS
    } else if (cron.minutes.has(now.minute) && wall(at - 60 * MINUTE_MS).hour !== now.hour) {
      return at
    } else {
      at += MINUTE_MS
    }
    if (wall(at).day !== now.day) days++
  }
  return null
}

interface Wall {
  minute: number
  hour: number
  day: number
  month: number
  weekday: number
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

function createWallClock(timeZone: string): (at: number) => Wall {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    weekday: 'short',
  })
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]))
    return {
      minute: Number(parts.get('minute')),
      hour: Number(parts.get('hour')),
      day: Number(parts.get('day')),
      month: Number(parts.get('month')),
      weekday: WEEKDAYS.indexOf(parts.get('weekday') ?? ''),
    }
  }
}

function isDay(cron: Cron, wall: Wall): boolean {
  if (!cron.months.has(wall.month)) return false
  const day = cron.days.has(wall.day)
  const weekday = cron.weekdays.has(wall.weekday)
  if (cron.anyDay || cron.anyWeekday) return day && weekday
  return day || weekday
}

/** Whether the machine knows a time zone of that name. */
export function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch (cause) {
    if (cause instanceof RangeError) return false
    throw cause
  }
}
