/** What agents tell, with a whole scheduler on the store. */
import type { Test } from 'tap'
import { systemClock } from '../../src/platform/index.ts'
import { agentOf, stepFinished, unwrap } from '../scheduler/support/agent.ts'
import { aRequest, startScheduler, untilBuild } from '../scheduler/support/scheduler.ts'
import type { TestBackend } from './backend.ts'

export async function testReports(t: Test, backend: TestBackend): Promise<void> {
  t.test(
    'an event is applied once, however often it is sent, and also at the same time',
    async (t) => {
      const { scheduler, agent } = await run(t, await backend.fresh(t))
      const { agents } = scheduler
      const events = agent.ordered(
        { type: 'step_started', step: 0, attempt: 1 },
        ...Array.from({ length: 40 }, (_, at) => ({
          type: 'notice' as const,
          text: `notice ${at}`,
        })),
        stepFinished(0, ''),
      )
      const batches = Array.from({ length: 30 }, (_, at) => events.slice(0, 2 + at * 2))
      const answers = await Promise.all(
        [...batches, events].map((batch) => agents.events(agent.caller, batch)),
      )
      t.equal(Math.max(...answers.map((answer) => unwrap(answer).applied)), events.length)
      t.equal(unwrap(await agents.events(agent.caller, events)).applied, events.length)
      const view = await scheduler.readBuild('1')
      t.strictSame(
        view?.slices[0]?.steps.map(({ state }) => state),
        ['succeeded'],
      )
    },
  )

  t.test('a build that ran is there with its result when the store is opened again', async (t) => {
    const url = await backend.fresh(t)
    const { scheduler, agent, dataDir, close } = await run(t, url)
    await agent.step(0, 'hello')
    unwrap(await agent.report('succeeded'))
    await untilBuild(scheduler, '1', ({ state }) => state === 'succeeded')
    await close()
    const again = await startScheduler(t, { ...on(url), dataDir })
    t.match(await again.scheduler.readBuild('1'), {
      state: 'succeeded',
      slices: [{ steps: [{ state: 'succeeded', output: { have: 5 } }] }],
    })
    t.strictSame(await again.scheduler.health(), [])
  })
}

async function run(t: Test, url: string) {
  const started = await startScheduler(t, on(url))
  await started.scheduler.submit(aRequest())
  const agent = await agentOf(started.cluster, started.scheduler)
  await agent.begin()
  return { ...started, agent, clock: systemClock }
}

const on = (url: string) => ({
  settings: { store: { url }, server: { master_key_file: 'named, not read' } },
})
