import t from 'tap'
import { defaultShell, splitWords, toCommandLine } from '../../src/build-agent/shell.ts'

t.test(
  'a shell line is split into words as a shell would, without expanding anything',
  async (t) => {
    const cases: [string, string[]][] = [
      ['/bin/bash -eo pipefail', ['/bin/bash', '-eo', 'pipefail']],
      ['  sh\t-e  ', ['sh', '-e']],
      [`a 'b c' "d e" f\\ g`, ['a', 'b c', 'd e', 'f g']],
      [`"a\\"b" 'c"d' "\\$HOME \\x"`, ['a"b', 'c"d', '$HOME \\x']],
      [`a''b "" c`, ['ab', '', 'c']],
      ['$HOME/*.sh `id`', ['$HOME/*.sh', '`id`']],
    ]
    for (const [line, words] of cases) t.same(splitWords(line), words, line)
  },
)

t.test('a shell line that makes no sense is refused with the line', async (t) => {
  t.throws(() => splitWords(`sh 'open`), {
    code: 'INPUT_INVALID',
    message: `the shell "sh 'open" has an open quote`,
  })
  t.throws(() => splitWords('sh "open'), /open quote/)
  t.throws(() => splitWords('sh \\'), /open quote/)
  t.throws(() => splitWords('  '), /names no program/)
})

t.test(
  'the default is bash, then a shell with pipefail, then one without and a word about it',
  async (t) => {
    t.same(defaultShell({ hasBash: true, shKnowsPipefail: false }), {
      words: ['/bin/bash', '-eo', 'pipefail'],
      notice: null,
    })
    t.same(defaultShell({ hasBash: false, shKnowsPipefail: true }).words, [
      '/bin/sh',
      '-eo',
      'pipefail',
    ])
    t.match(defaultShell({ hasBash: false, shKnowsPipefail: false }), {
      words: ['/bin/sh', '-e'],
      notice: /a command that fails inside a pipe does not fail its step/,
    })
  },
)

t.test('a command goes over as a file, or as text when the shell line ends in -c', async (t) => {
  const command = { text: 'echo hi', scriptFile: '/scripts/step-0' }
  t.same(toCommandLine(['bash', '-e'], command), ['bash', '-e', '/scripts/step-0'])
  t.same(toCommandLine(['bash', '-ec'], command), ['bash', '-ec', 'echo hi'])
  t.same(toCommandLine(['python3'], command), ['python3', '/scripts/step-0'])
})
