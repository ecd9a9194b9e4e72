/** A store that can not write delays whoever calls, and loses nothing. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { unwrap } from '../../scheduler/support/agent.ts'
import { aRequest, untilBuild } from '../../scheduler/support/scheduler.ts'
import { agentOfSlice, isOver, startWorld } from './support/world.ts'

t.test('B87: an agent whose check-in could not be stored checks in again', async (t) => {
  const { scheduler, nomad, dataDir } = await startWorld(t)
  await scheduler.submit(aRequest({}, ['echo hello']))
  const agent = await agentOfSlice(scheduler, nomad)
  // As somebody at the prompt of sqlite3 who forgot to commit, for longer than we wait.
  const other = new DatabaseSync(join(dataDir, 'caravan.db'))
  t.teardown(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  await t.rejects(agent.claim(), { code: 'STORE_FAILED' })
  other.exec('COMMIT')
  t.equal((await scheduler.readBuild('1'))?.slices[0]?.state, 'placing', 'nothing is half there')
  const first = unwrap(await agent.claim())
  t.equal(unwrap(await agent.claim()).session, first.session, 'and once more the same')
  unwrap(await scheduler.agents.accept(agent.caller))
  unwrap(await scheduler.agents.accept(agent.caller))
  await agent.step(0, 'hello\n')
  unwrap(await agent.report('succeeded'))
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded', slices: [{ epoch: 1 }] })
})
