/** The command lines of the guides: what they name has to be there. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import t from 'tap'
import { createProgram } from '../src/cli/program.ts'

const GUIDES = new URL('../docs/guides/', import.meta.url).pathname
const FILES = [
  join(GUIDES, '../../README.md'),
  ...readdirSync(GUIDES).map((name) => join(GUIDES, name)),
]

/** Commands that do something themselves and have others below them. */
const WITH_BELOW = ['dev']

/** Commands that read their own command line: commander knows their names alone. */
const OWN_FLAGS = ['build-agent', 'metrics']

t.test('every caravan command of the guides exists, with its flags', async (t) => {
  const lines = FILES.flatMap((file) => commandLines(readFileSync(file, 'utf8')))
  t.ok(lines.length > 30, 'the guides name commands')
  const program = createProgram({} as never, () => {})
  t.strictSame(
    lines.flatMap((line) => faults(program, line)),
    [],
  )
})

/** In blocks of code and in `code`: from `caravan` to a comment or the end. */
function commandLines(text: string): string[] {
  const joined = text.replaceAll(/\\\n\s*/g, '')
  return [...joined.matchAll(/(?:^|`|npx )caravan ([a-z][^`#|>\n]*)/gm)].map(([, line]) => {
    return (line ?? '').trim()
  })
}

function faults(program: Command, line: string): string[] {
  const words = line.split(/\s+/)
  let command = program
  while (command.commands.length > 0) {
    const isFlag = (words[0] ?? '-').startsWith('-')
    if (isFlag && WITH_BELOW.includes(command.name())) break
    const name = words.shift() ?? ''
    const next = command.commands.find((each) => each.name() === name.split('|')[0])
    if (next === undefined) return [`there is no ${name}: caravan ${line}`]
    command = next
  }
  if (OWN_FLAGS.includes(command.name())) return []
  const known = new Set(command.options.map(({ long }) => long))
  return words
    .map((word) => word.replace(/^\[/, '').replace(/[=\],.;:)].*$/, ''))
    .filter((word) => word.startsWith('--') && !known.has(word) && word !== '--help')
    .map((word) => `${command.name()} has no ${word}: caravan ${line}`)
}
