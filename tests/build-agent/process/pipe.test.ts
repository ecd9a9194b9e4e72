import { writeSync } from 'node:fs'
import t from 'tap'
import { makePipes, StepPipe } from '../../../src/build-agent/process/pipe.ts'
import { systemClock } from '../../../src/platform/index.ts'

t.test('what came while the agent stood still is not taken for late', async (t) => {
  const [path = ''] = await makePipes(t.testdir(), 1)
  let text = ''
  const pipe = new StepPipe(path, (bytes) => {
    text += bytes.toString()
    return true
  })
  writeSync(pipe.writeEnd, 'last words')
  const isOver = pipe.finish(systemClock, 100)
  const untilMs = performance.now() + 300
  while (performance.now() < untilMs);
  t.ok(await isOver, 'nobody holds it')
  t.equal(text, 'last words')
  pipe.abandon()
})
