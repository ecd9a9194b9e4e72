/** Words of a line as a shell splits them. */

/** Blanks, both quotes and the backslash as POSIX has them; nothing is expanded. */
export function toWords(line: string): { words: string[] } | { fault: string } {
  const words: string[] = []
  const token = /\s+|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)/y
  let word: string | null = null
  while (token.lastIndex < line.length) {
    const match = token.exec(line)
    if (match === null) return { fault: 'has an open quote' }
    const [all, single, double, escaped, plain] = match
    const text = single ?? double?.replaceAll(/\\(["\\$`\n])/g, '$1') ?? escaped ?? plain
    if (text !== undefined) word = (word ?? '') + text
    else if (all !== '' && word !== null) {
      words.push(word)
      word = null
    }
  }
  if (word !== null) words.push(word)
  return words.length === 0 ? { fault: 'names no program' } : { words }
}
