/** Plain tables: texts to the left, numbers to the right. */

/** Columns and their cells; every row of a table has the same ones. */
export type Row = Readonly<Record<string, string | number>>

/** Lines without a line break at their end. */
export function formatTable(rows: readonly Row[]): string[] {
  const columns = Object.keys(rows[0] ?? {})
  const cells = [columns, ...rows.map((row) => columns.map((column) => toCell(row[column])))]
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)))
  const isNumber = columns.map((column) => rows.every((row) => typeof row[column] === 'number'))
  const pad = (cell: string, at: number) =>
    isNumber[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)
  return cells.map((line) => line.map(pad).join('  ').trimEnd())
}

/** Three digits that mean something: more would be noise. Whole numbers stay as they are. */
export function round(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(3))
}

function toCell(value: string | number | undefined): string {
  return typeof value === 'number' ? String(round(value)) : (value ?? '')
}
