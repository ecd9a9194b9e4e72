/** Letters that our own reading and the parser could take for different ones. */
import t from 'tap'
import { parseHcl } from '../../src/platform/hcl.ts'

t.test('a label is what was written, a key is composed: so does the parser', async (t) => {
  const labelled = await parseHcl('job "e\u0301\uF9B5" {\n  x = 1\n}\n', 'a.hcl')
  t.match(labelled, {
    ok: true,
    entries: [{ labels: ['e\u0301\uF9B5'], entries: [{ value: { value: 1 } }] }],
  })
  const keyed = await parseHcl('m = { "e\u0301" = 1 }\n', 'a.hcl')
  t.match(keyed, { entries: [{ value: { entries: [{ key: '\u00e9', value: { value: 1 } }] } }] })
})

t.test('of half a surrogate pair nothing is left, in labels as in keys and values', async (t) => {
  const text = 'job "\ud862a" {\n  m = { "\udefdb" = "\ud862" }\n}\n'
  t.match(await parseHcl(text, 'a.hcl'), {
    ok: true,
    entries: [
      {
        labels: ['\ufffda'],
        entries: [{ value: { entries: [{ key: '\ufffdb', value: { value: '\ufffd' } }] } }],
      },
    ],
  })
})

t.test('a key whose characters only a newer Unicode composes is found', async (t) => {
  // Kirat Rai of Unicode 16; hcl2-parser was compiled with an older one.
  const parts = '\u{16d67}\u{16d67}'
  t.match(await parseHcl(`m = { "${parts}" = 1 }\n`, 'a.hcl'), {
    ok: true,
    entries: [{ value: { entries: [{ value: { value: 1 } }] } }],
  })
})
