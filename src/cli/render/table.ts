/** Columns that line up, for lists read by people. */

import { toSafeText } from './hostile.ts'

export type Cell = string | { text: string; paint: (text: string) => string }

/** Every row ends with a newline; the last column is not padded. */
export function toTable(heading: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const all: (readonly Cell[])[] = [heading, ...rows]
  const widths = heading.map((_, column) =>
    Math.max(...all.map((row) => textOf(row[column] ?? '').length)),
  )
  const lines = all.map((row) =>
    row
      .map((cell, column) => {
        const text = textOf(cell)
        const padded = column === row.length - 1 ? text : text.padEnd(widths[column] ?? 0)
        return typeof cell === 'string' ? padded : cell.paint(padded)
      })
      .join('  ')
      .trimEnd(),
  )
  return `${lines.join('\n')}\n`
}

function textOf(cell: Cell): string {
  return toSafeText(typeof cell === 'string' ? cell : cell.text)
}
