import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayNumber, daysInMonth, isoWeek, weekday } from '../src/calendar.mjs'

const DAY_MS = 86_400_000

/** Declares the tests of one century: every day of it is compared with the Date of the language. */
export function testCentury(century) {
  test(`every day of the ${century}s has its number and weekday`, (t) => {
    let count = 0
    for (const date of daysOf(century)) {
      const known = new Date(Date.UTC(date.year, date.month - 1, date.day))
      assert.equal(dayNumber(date) - dayNumber({ year: 1970, month: 1, day: 1 }), known / DAY_MS)
      assert.equal(weekday(date) % 7, known.getUTCDay())
      count++
    }
    t.diagnostic(`${count} days agree`)
  })

  test(`every week of the ${century}s starts on a Monday and has seven days`, (t) => {
    const weeks = []
    for (const date of daysOf(century)) {
      const week = isoWeek(date)
      if (week === weeks.at(-1)?.week) {
        weeks.at(-1).length++
        continue
      }
      if (weeks.length > 0) assert.equal(weekday(date), 1, JSON.stringify(date))
      weeks.push({ week, length: 1 })
    }
    // The first and the last one may belong to two centuries.
    for (const { length } of weeks.slice(1, -1)) assert.equal(length, 7)
    t.diagnostic(`${weeks.length} weeks`)
  })
}

function* daysOf(century) {
  for (let year = century; year < century + 100; year++) {
    for (let month = 1; month <= 12; month++) {
      for (let day = 1; day <= daysInMonth(year, month); day++) yield { year, month, day }
    }
  }
}
