/** Gathers what is wrong with a file, so that one run tells all of it. */
import type { Problem } from '../../model/index.ts'

/** One thing to say about one place. */
export interface Remark {
  /** Offset in the text. */
  at: number
  /** Dotted path of the key, such as `jobs.test.docker`; empty for the file itself. */
  path: string
  /** What is wrong, without the place. */
  what: string
  /** What to do about it. */
  hint?: string
}

export interface Report {
  problem(remark: Remark): void
  warning(remark: Remark): void
  /** True when nothing more is kept: a loop over a hostile file may stop. */
  readonly full: boolean
  /** Sorted by place. */
  readonly problems: Problem[]
  readonly warnings: Problem[]
}

/** Nobody reads more; a file made of aliases could repeat one mistake without end. */
export const PROBLEMS_MAX = 100

/** Longer names and values are cut in messages. */
const SHOWN_CHARS_MAX = 60

/** Makes line and column of an offset, both from 1. */
export type Place = (at: number) => { line: number; column: number }

export function createReport(file: string, place: Place): Report {
  const problems = new Map<string, Problem>()
  const warnings = new Map<string, Problem>()
  const add = (kept: Map<string, Problem>, { at, path, what, hint }: Remark) => {
    if (kept.size >= PROBLEMS_MAX) return
    // The same mistake reached by several aliases is told once.
    const id = `${at} ${what}`
    if (kept.has(id)) return
    const where = path === '' ? '' : ` (${path})`
    const message = escaped(hint === undefined ? `${what}${where}` : `${what}${where}: ${hint}`)
    kept.set(id, { file, ...place(at), ...(path === '' ? {} : { path: escaped(path) }), message })
  }
  return {
    problem: (remark) => add(problems, remark),
    warning: (remark) => add(warnings, remark),
    get full() {
      return problems.size >= PROBLEMS_MAX
    },
    get problems() {
      return sorted(problems)
    },
    get warnings() {
      return sorted(warnings)
    },
  }
}

/** A name or value as a message shows it: cut when long. */
export function shown(text: string): string {
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}...` : text
}

/** `a, b, c`; the rest of a long list is counted, not listed. */
export function listed(names: Iterable<string>): string {
  const all = [...names]
  const head = all.slice(0, 20).map((name) => `\`${shown(name)}\``)
  return all.length > head.length
    ? `${head.join(', ')} and ${all.length - head.length} more`
    : head.join(', ')
}

function sorted(kept: Map<string, Problem>): Problem[] {
  return [...kept.values()].sort((a, b) => a.line - b.line || (a.column ?? 0) - (b.column ?? 0))
}

/** One line without control characters, which could drive the terminal of whoever reads it. */
function escaped(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (char) =>
    char === '\n' ? '\\n' : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  )
}
