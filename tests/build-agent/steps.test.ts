import t from 'tap'
import { aTask, runToEnd } from './support/agent.ts'

t.test('steps run in order and their bytes arrive as they were written', async (t) => {
  const task = aTask({
    steps: ['echo one; echo two >&2; echo three', String.raw`printf 'a\xfeb\xff\0'`],
  })
  const { server, code, log } = await runToEnd(t, task)
  t.equal(code, 0)
  t.equal(server.output(0).toString(), 'one\ntwo\nthree\n')
  t.same(server.output(1), Buffer.from([0x61, 0xfe, 0x62, 0xff, 0x00]))
  t.match(server.sliceFinished, { result: 'succeeded', reason: 'succeeded' })
  t.match(log, /step started step=0 /)
  t.match(log, /step finished step=1 .*state=succeeded exit=0/)
})
