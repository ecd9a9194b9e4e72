import t from 'tap'
import { runToEnd } from '../build-agent/support/agent.ts'
import { startCutEngine } from './support/cut-engine.ts'
import { aContainerTask, always, leftovers, withDocker } from './support/docker.ts'

const STEPS = ['echo one; sleep 1; echo two', 'sleep 0.2; exit 7', always('kill -KILL 0')]

await withDocker(() => {
  for (const [title, weather] of [
    ['C-64: a connection that ends before the exit code loses neither output nor code', 'cut'],
    ['C-65: a connection that never ends does not keep the step', 'hold'],
  ] as const) {
    t.test(title, async (t) => {
      const { environment, treated } = await startCutEngine(t, weather)
      const task = aContainerTask({ steps: STEPS })
      const { server, log } = await runToEnd(t, task, { environment })
      t.equal(treated(), 3, log)
      t.equal(server.output(1).toString(), 'one\ntwo\n')
      t.match(server.finished(1), { state: 'succeeded', exit_code: 0 })
      t.match(server.finished(2), { state: 'failed', exit_code: 7, reason: 'exit_code' })
      t.match(server.finished(3), { state: 'failed', exit_code: 137 }, 'Docker tells of the killed')
      t.same(await leftovers(), [])
    })
  }
})
