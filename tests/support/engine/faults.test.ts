import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  aJob,
  aSimulatedJob,
  eventually,
  eventTypes,
  startTestEngine,
  talkTo,
  untilStatus,
} from '../../dev/nomad-engine/support.ts'
import { createFaults } from './faults.ts'
import { startEngineProcess } from './process.ts'

/** An engine in this process, with its hooks. */
async function start(t: Test) {
  const faults = createFaults()
  const dataDir = mkdtempSync(join(tmpdir(), 'engine-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  const nodes = [{ name: 'alpha', simulate: () => ({ run_for: '60s' }) }]
  const talk = await startTestEngine(t, { dataDir, nodes, intercept: faults.intercept })
  faults.attach(talk.engine, { dataDir })
  const status = async (job: string) => (await talk.fetch(`/v1/job/${job}`)).status
  return { talk, faults, status }
}

const REGISTER = { method: 'PUT', url: '^/v1/jobs' } as const

t.test('an answer is lost after the commit, a request before it', async (t) => {
  const { talk, faults, status } = await start(t)
  await faults.onCalls({ ...REGISTER, times: 1 }, { do: 'lose_answer' })
  await t.rejects(talk.register(aSimulatedJob('committed')), /fetch failed/)
  t.equal(await status('committed'), 200)
  await faults.onCalls({ ...REGISTER, body: 'never' }, { do: 'lose_request' })
  await t.rejects(talk.register(aSimulatedJob('never')), /fetch failed/)
  t.equal(await status('never'), 404)
  await talk.register(aSimulatedJob('other'))
  t.equal(await faults.hitCount(), 2)
})

t.test('a call fails with a text of our choice, carried out or not', async (t) => {
  const { talk, faults, status } = await start(t)
  const text = 'No cluster leader'
  await faults.onCalls({ ...REGISTER, skip: 1, times: 1 }, { do: 'fail', status: 500, text })
  await talk.register(aSimulatedJob('first'))
  await t.rejects(talk.register(aSimulatedJob('second')), /500 No cluster leader/)
  t.equal(await status('second'), 404)
  await faults.clear()
  await faults.onCalls(REGISTER, { do: 'fail', status: 500, text, committed: true })
  await t.rejects(talk.register(aSimulatedJob('third')), /500 No cluster leader/)
  t.equal(await status('third'), 200)
})

t.test('a frozen engine says nothing until it thaws', async (t) => {
  const { talk, faults } = await start(t)
  await faults.freeze()
  let isAnswered = false
  const answer = talk.get('/v1/jobs').then(() => (isAnswered = true))
  await faults.loseNode('alpha')
  t.notOk(isAnswered)
  await faults.thaw()
  t.ok(await answer)
})

t.test('open event streams end in the middle', async (t) => {
  const { talk, faults } = await start(t)
  const stream = await talk.fetch('/v1/event/stream')
  await faults.cutStreams()
  await t.rejects(stream.text(), /terminated/)
})

t.test('an engine of its own: tasks killed, a node lost, the process killed', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'engine-'))
  const nodes = [{ name: 'alpha' }, { name: 'beta' }]
  const engine = await startEngineProcess({ dataDir, nodes })
  t.teardown(async () => {
    await engine.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
  const talk = talkTo(engine.url)
  const onNode = (name: string) => ({
    job: { Constraints: [{ LTarget: '${node.unique.name}', RTarget: name, Operand: '=' }] },
  })
  await talk.register(aJob('killed', 'exec sleep 60', onNode('alpha')))
  await talk.register(aJob('lost', 'exec sleep 60', onNode('beta')))
  await untilStatus(talk, 'killed', 'running')
  const { ID } = await untilStatus(talk, 'lost', 'running')
  const killed = await eventually(
    async () => (await engine.faults.killTasks({ jobs: '^killed$' })) || undefined,
    'a task to kill',
  )
  t.equal(killed, 1)
  t.ok(eventTypes(await untilStatus(talk, 'killed', 'failed')).includes('Terminated'))

  await engine.faults.loseNode('beta')
  await untilStatus(talk, 'lost', 'lost')
  const pid = Number(readFileSync(join(dataDir, 'client', ID, 'main', 'pid'), 'utf8'))
  t.ok(process.kill(pid, 0), 'a lost node works on')
  await engine.kill()
  await t.rejects(talk.get('/v1/jobs'), /fetch failed/)
  await engine.restart()
  await engine.faults.restoreNode('beta')
  await eventually(() => {
    try {
      return !process.kill(pid, 0)
    } catch {
      return true
    }
  }, 'what was given up as lost to end')
})
