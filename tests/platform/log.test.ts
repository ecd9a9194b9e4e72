import t from 'tap'
import { CaravanError } from '../../src/model/index.ts'
import type { LogFields } from '../../src/platform/index.ts'
import { createLog, createTextWriter, describeCause } from '../../src/platform/index.ts'

t.test('fields of a child stand on every line, and low levels are left out', (t) => {
  const lines: { level: string; message: string; fields: LogFields }[] = []
  const log = createLog((level, message, fields) => lines.push({ level, message, fields }))
  log.child({ build: 'b' }).info('slice placed', { slice: 1 })
  log.debug('not shown')
  t.same(lines, [{ level: 'info', message: 'slice placed', fields: { build: 'b', slice: 1 } }])
  t.end()
})

t.test('a cause is written with its whole chain, each layer in its own words', (t) => {
  const inner = Object.assign(new Error('connect failed'), { code: 'ECONNREFUSED' })
  const outer = new CaravanError('NOMAD_UNREACHABLE', 'Nomad did not answer', { cause: inner })
  t.equal(
    describeCause(outer),
    'Nomad did not answer (NOMAD_UNREACHABLE): connect failed (ECONNREFUSED)',
  )
  const loop: Error & { cause?: unknown } = new Error('round')
  loop.cause = loop
  t.match(describeCause(loop), /^round/)
  t.end()
})

t.test('the text form is one line per entry', (t) => {
  let text = ''
  const write = createTextWriter({ write: (chunk: string) => (text += chunk) }, () => 0)
  write('warn', 'agent reconnected', { gapMs: 12, why: 'two words', list: [1] })
  t.equal(text, '00:00:00.000 warn  agent reconnected gapMs=12 why="two words" list=[1]\n')
  t.end()
})
