/** The engine over HTTP, with real processes. */
import t from 'tap'
import { aJob, eventTypes, eventually, isRunning, startTestEngine, untilStatus } from './support.ts'

t.test('a batch job runs to its end and keeps its output', async (t) => {
  const talk = await startTestEngine(t)
  await talk.register(aJob('hello', 'echo out; echo err >&2'))

  const allocation = await untilStatus(talk, 'hello', 'complete')

  t.equal(allocation.ClientDescription, 'All tasks have completed')
  t.same(eventTypes(allocation), ['Received', 'Task Setup', 'Started', 'Terminated'])
  const path = `/v1/client/fs/logs/${allocation.ID}?task=main&plain=true`
  t.equal(await (await talk.fetch(`${path}&type=stdout`)).text(), 'out\n')
  t.equal(await (await talk.fetch(`${path}&type=stderr`)).text(), 'err\n')
  t.match(await talk.get('/v1/job/hello'), { Status: 'dead', Version: 0 })
  t.match(await talk.get('/v1/job/hello/summary'), { Summary: { slice: { Complete: 1 } } })
})

t.test('an exit code ends the allocation as failed, and is told', async (t) => {
  const talk = await startTestEngine(t)
  await talk.register(aJob('bad', 'exit 3'))

  const allocation = await untilStatus(talk, 'bad', 'failed')

  const events = allocation.TaskStates?.['main']?.Events ?? []
  t.equal(events.find((event) => event.Type === 'Terminated')?.DisplayMessage, 'Exit Code: 3')
  t.equal(events.at(-1)?.DisplayMessage, 'Policy allows no restarts')
})

t.test('a program that does not exist is a failure of the driver', async (t) => {
  const talk = await startTestEngine(t)
  await talk.register(aJob('nothing', '', { task: { Config: { command: '/no/such/program' } } }))

  const allocation = await untilStatus(talk, 'nothing', 'failed')

  t.same(eventTypes(allocation), ['Received', 'Task Setup', 'Driver Failure', 'Not Restarting'])
})

t.test('B34: stopping a job asks its task and forces it after the kill timeout', async (t) => {
  const talk = await startTestEngine(t)
  const stubborn = 'trap "" INT; echo up; while :; do sleep 0.05; done'
  await talk.register(aJob('polite', 'exec sleep 60'))
  await talk.register(aJob('stubborn', stubborn, { task: { KillTimeout: 300_000_000 } }))
  await untilStatus(talk, 'polite', 'running')
  const { ID } = await untilStatus(talk, 'stubborn', 'running')
  // A task runs before its shell has set the trap.
  const log = `/v1/client/fs/logs/${ID}?task=main&type=stdout&plain=true`
  await eventually(async () => (await (await talk.fetch(log)).text()) === 'up\n', 'the trap')

  await talk.send('DELETE', '/v1/job/polite')
  await talk.send('DELETE', '/v1/job/stubborn')

  for (const [job, how] of [
    ['polite', 'Exit Code: 130, Signal: 2'],
    ['stubborn', 'Exit Code: 137, Signal: 9'],
  ] as const) {
    const allocation = await untilStatus(talk, job, 'complete')
    t.equal(allocation.DesiredDescription, 'alloc not needed due to job update')
    const events = allocation.TaskStates?.['main']?.Events ?? []
    t.same(eventTypes(allocation).slice(-3), ['Killing', 'Terminated', 'Killed'])
    t.equal(events.find((event) => event.Type === 'Terminated')?.DisplayMessage, how)
  }
})

t.test('what a task of a task left behind ends with the outer one', async (t) => {
  const talk = await startTestEngine(t)
  // As an engine inside a task would start it: with the outer task's mark, and its own surroundings.
  const inner = 'CARAVAN_TASK_CHAIN="$CARAVAN_TASK_CHAIN inner/main" NOMAD_ALLOC_ID=inner'
  await talk.register(aJob('outer', `${inner} setsid sleep 61.3 & echo $!; sleep 0.1`))
  const { ID } = await untilStatus(talk, 'outer', 'complete')
  const path = `/v1/client/fs/logs/${ID}?task=main&type=stdout&plain=true`
  const pid = Number(await (await talk.fetch(path)).text())
  await eventually(() => !isRunning(pid), 'the inner process to be gone')
})

t.test('registering is create-only when asked to be', async (t) => {
  const talk = await startTestEngine(t)
  const job = aJob('once', 'exec sleep 60')
  const createOnly = { EnforceIndex: true, JobModifyIndex: 0 }

  const first = await talk.register(job, createOnly)
  const refuse = async (index: number) => {
    const body = JSON.stringify({ Job: job, EnforceIndex: true, JobModifyIndex: index })
    const response = await talk.fetch('/v1/jobs', { method: 'PUT', body })
    t.equal(response.status, 500)
    t.match(response.headers.get('content-type'), 'text/plain')
    return response.text()
  }

  t.equal(await refuse(0), 'Enforcing job modify index 0: job already exists')
  t.equal(
    await refuse(7),
    `Enforcing job modify index 7: job exists with conflicting job modify index: ${first.JobModifyIndex}`,
  )
  t.equal((await talk.allocations('once')).length, 1)
  const again = await talk.register(job, { ...createOnly, JobModifyIndex: first.JobModifyIndex })
  t.not(again.EvalID, '')
  t.equal((await talk.allocations('once')).length, 1, 'the same text starts nothing')
})
