/** When a line of cron comes true next, in a time zone of the IANA list. */
import type { Cron } from '../../../model/index.ts'

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
  if (cron.isAnyDay || cron.isAnyWeekday) return day && weekday
  return day || weekday
}
