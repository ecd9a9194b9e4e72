/** The Gregorian calendar, counted without the Date of the language. */

/** A year of four, but of the full centuries only every fourth. */
export function isLeapYear(year) {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

/** @param month 1 to 12. */
export function daysInMonth(year, month) {
  if (month === 2) return isLeapYear(year) ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

/** Days since the first of January of the year 1, which is day 1. */
export function dayNumber({ year, month, day }) {
  const before = year - 1
  let days = before * 365 + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400)
  for (let each = 1; each < month; each++) days += daysInMonth(year, each)
  return days + day
}

/** 1 is Monday, 7 is Sunday. */
export function weekday(date) {
  return ((dayNumber(date) - 1) % 7) + 1
}

/** The ISO week: week 1 is the one with the first Thursday of the year. */
export function isoWeek({ year, month, day }) {
  const ordinal = dayNumber({ year, month, day }) - dayNumber({ year, month: 1, day: 1 }) + 1
  const week = Math.floor((ordinal - weekday({ year, month, day }) + 10) / 7)
  if (week === 0) return weeksInYear(year - 1)
  return week > weeksInYear(year) ? 1 : week
}

function weeksInYear(year) {
  const first = weekday({ year, month: 1, day: 1 })
  return first === 4 || (first === 3 && isLeapYear(year)) ? 53 : 52
}
