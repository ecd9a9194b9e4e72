import * as fc from 'fast-check'
import t from 'tap'
import { SafeLines, toSafeLine, toSafeText } from '../../src/cli/render/hostile.ts'

const ESC = '\u001B'
const BEL = '\u0007'

t.test('what drives a terminal is taken out, colours stay and end with the line', (t) => {
  const lines: [string, string][] = [
    ['plain\ttext', 'plain\ttext'],
    [`${ESC}[1;31mred${ESC}[0m`, `${ESC}[1;31mred${ESC}[0m${ESC}[0m`],
    [`${ESC}[38;5;8mgrey`, `${ESC}[38;5;8mgrey${ESC}[0m`],
    [`a${ESC}]0;owned${BEL}b`, 'ab'],
    [`a${ESC}]52;c;cm0gLXJmIC8=${ESC}\\b`, 'ab'],
    [`a${ESC}]52;c;never ended`, 'a'],
    [`a\u009D0;owned\u009Cb`, 'ab'],
    [`a${ESC}Pq${'x'.repeat(9)}${ESC}\\b`, 'ab'],
    [`a${ESC}[2K${ESC}[1Ab`, 'ab'],
    [`a${ESC}[?1049hb`, 'ab'],
    [`a\u009B2Jb`, 'ab'],
    [`a${ESC}cb`, 'ab'],
    [`a${ESC}(0b`, 'ab'],
    [`a${ESC}[8mhidden${ESC}[31mb`, `ahidden${ESC}[31mb${ESC}[0m`],
    ['a\b\b\bb\u0000', 'ab'],
    ['a\u202Eb\u2066c', 'abc'],
    [`a${ESC}`, 'a'],
    [`${ESC}${ESC}[31m]0;x${BEL}`, `${ESC}[31m]0;x${ESC}[0m`],
  ]
  for (const [hostile, safe] of lines) t.equal(toSafeLine(hostile), safe, JSON.stringify(hostile))
  t.equal(toSafeText(`main${ESC}[31m\r\nfake: succeeded`), 'main fake: succeeded')
  t.end()
})

/** Everything that a terminal may be left with: text, tabs and colours that hide nothing. */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const SAFE = /^(?:[^\u0000-\u0008\u000A-\u001F\u007F-\u009F]|\u001B\[[0-9;:]*m)*$/

const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(ESC, BEL, `${ESC}[`, `${ESC}]52;`, `${ESC}\\`, '\u009B', '\u009D', '8', ';'),
      fc.constantFrom('m', '[', ']', 'P', '\\', '\r', '\n', '\r\n', 'K', '38', '31', '?25l'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''))

t.test('nothing else than text and colours ever comes through', (t) => {
  fc.assert(
    fc.property(hostile, (text) => {
      if (!SAFE.test(toSafeText(text))) throw new Error(JSON.stringify(toSafeText(text)))
      const line = text.replaceAll(/[\r\n]/g, '')
      if (!SAFE.test(toSafeLine(line))) throw new Error(JSON.stringify(toSafeLine(line)))
    }),
    { numRuns: 2000, seed: 1 },
  )
  t.end()
})

t.test('the lines are the same however the bytes arrive', (t) => {
  const cut = (bytes: Buffer, sizes: readonly number[]) => {
    const safe = new SafeLines()
    const lines: string[] = []
    let rest = bytes
    for (const size of sizes) {
      lines.push(...safe.push(rest.subarray(0, size)))
      rest = rest.subarray(size)
    }
    return [...lines, ...safe.push(rest), ...safe.end()]
  }
  fc.assert(
    fc.property(hostile, fc.array(fc.nat(5), { maxLength: 60 }), (text, sizes) => {
      const bytes = Buffer.from(text)
      t.same(cut(bytes, sizes), cut(bytes, []))
    }),
    { numRuns: 300, seed: 1 },
  )
  t.same(cut(Buffer.from('10%\r100%\r\ndone'), []), ['10%', '100%', 'done'])
  t.end()
})

t.test('a line that never ends does not fill the memory', (t) => {
  const safe = new SafeLines()
  let count = 0
  for (let chunk = 0; chunk < 64; chunk += 1) count += safe.push(Buffer.alloc(65_536, 'x')).length
  t.equal(count, 64)
  t.end()
})
