/** The page of failures and the tests that show them name each other. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const folder = fileURLToPath(new URL('.', import.meta.url))
const page = readFileSync(join(folder, '../docs/failures.md'), 'utf8')

/** `B13`, `C-4`, `D7`, `F41`. */
const ROW = /(?:B|C-|D|F)\d+/

/** A text that begins with rows, as the titles of tests do, or that is one, as in their tables. */
const TITLE = new RegExp(`['"\`](${ROW.source}(?:, ${ROW.source})*)(?:: |['"])`, 'g')

/** The files that the page names, by row. */
function readPage(): Map<string, string[]> {
  const rows = new Map<string, string[]>()
  for (const line of page.split('\n')) {
    const [, row, files] = /^\| ((?:B|C-|D|F)\d+) \|.*\|([^|]*)\|$/.exec(line) ?? []
    if (row === undefined) continue
    const named = [...(files ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => toFile(row, name))
    if (rows.has(row)) throw new Error(`${row} stands twice on the page`)
    rows.set(row, named)
  }
  return rows
}

/** As the page shortens them. */
function toFile(row: string, name = ''): string {
  const room = row.startsWith('B') ? 'faults/scheduler/' : 'faults/agent/'
  const stems = row.startsWith('F') ? [`fleet/${name}`, name] : [name.replace(/^faults\//, room)]
  const ends = ['.test.ts', '.suite.ts', '.ts']
  const files = stems.flatMap((stem) => ends.map((end) => stem + end))
  const found = files.find((file) => existsSync(join(folder, file)))
  if (found === undefined) throw new Error(`${row} names ${name}, and there is no such test`)
  return found
}

/** The rows that the titles of tests name, by file. */
function readTitles(): Map<string, Set<string>> {
  const titles = new Map<string, Set<string>>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = relative(folder, join(entry.parentPath, entry.name))
    const mayBe = /\.(test|suite)\.ts$/.test(path) || path.startsWith('conformance/flows/')
    if (!entry.isFile() || !mayBe || path === 'failures.test.ts') continue
    const text = readFileSync(join(folder, path), 'utf8')
    const rows = [...text.matchAll(TITLE)].flatMap(([, some = '']) => some.split(', '))
    if (rows.length > 0) titles.set(path, new Set(rows))
  }
  return titles
}

t.test('every row of the page is shown where it says, or says why it is not', (t) => {
  const titles = readTitles()
  for (const [row, files] of readPage()) {
    const text = page.split('\n').find((line) => line.startsWith(`| ${row} |`)) ?? ''
    if (files.length === 0) t.match(text, /not provoked: /, row)
    for (const file of files) t.ok(titles.get(file)?.has(row), `${row} in ${file}`)
  }
  t.end()
})

t.test('every row that a test names stands on the page, with that test', (t) => {
  const rows = readPage()
  for (const [file, named] of readTitles()) {
    for (const row of named) t.ok(rows.get(row)?.includes(file), `${row} of ${file}`)
  }
  t.end()
})
