/** How tasks run, and what is told about their ends. */
import type { Test } from 'tap'
import {
  aJob,
  eventTypes,
  eventually,
  isRunning,
  untilStatus,
} from '../../dev/nomad-engine/support.ts'
import type { AllocationStub } from '../../dev/nomad-engine/support.ts'
import type { Target } from '../target.ts'

export async function allocationFlows(t: Test, target: Target): Promise<void> {
  await t.test('ends of a task are told by code and signal', async (t) => {
    const cases: [id: string, line: string, status: string, told: string][] = [
      ['cf-ok', 'exit 0', 'complete', 'Exit Code: 0'],
      ['cf-three', 'exit 3', 'failed', 'Exit Code: 3'],
      ['cf-143', 'exit 143', 'failed', 'Exit Code: 143'],
      ['cf-killed', 'kill -KILL $$', 'failed', 'Exit Code: 137, Signal: 9'],
      ['cf-crashed', 'kill -SEGV $$', 'failed', 'Exit Code: 139, Signal: 11'],
    ]
    for (const [id, line] of cases) await target.register(aJob(id, line))
    for (const [id, , status, told] of cases) {
      const allocation = await untilStatus(target, id, status)
      const events = allocation.TaskStates?.['main']?.Events ?? []
      t.equal(events.find((event) => event.Type === 'Terminated')?.DisplayMessage, told, id)
      t.equal(allocation.TaskStates?.['main']?.Failed, status === 'failed')
      const last = status === 'failed' ? ['Terminated', 'Not Restarting'] : ['Terminated']
      t.same(eventTypes(allocation), ['Received', 'Task Setup', 'Started', ...last])
    }
  })

  await t.test('a task that can not start says what is wrong with it', async (t) => {
    const missing = { Config: { command: '/cf/no/such/program' } }
    await target.register(aJob('cf-missing', '', { task: missing }))
    await target.register(aJob('cf-wrong', '', { task: { Config: { args: ['x'] } } }))
    const failure = await untilStatus(target, 'cf-missing', 'failed')
    t.match(eventTypes(failure).slice(2), ['Driver Failure', 'Not Restarting'])
    t.match(failure.TaskStates?.['main']?.Events[2]?.DisplayMessage, 'could not be found')
    const wrong = await untilStatus(target, 'cf-wrong', 'failed')
    t.match(eventTypes(wrong).slice(2), ['Failed Validation', 'Not Restarting'])
    t.match(wrong.TaskStates?.['main']?.Events[2]?.DisplayMessage, 'Missing required argument')
  })

  await t.test('a restart policy starts a task again, so many times', async (t) => {
    const RestartPolicy = { Attempts: 1, Interval: 60e9, Delay: 100e6, Mode: 'fail' }
    await target.register(aJob('cf-restart', 'exit 1', { group: { RestartPolicy } }))
    const allocation = await untilStatus(target, 'cf-restart', 'failed')
    t.same(eventTypes(allocation).slice(2), [
      'Started',
      'Terminated',
      'Restarting',
      'Started',
      'Terminated',
      'Not Restarting',
    ])
    const last = allocation.TaskStates?.['main']?.Events.at(-1)
    t.equal(last?.DisplayMessage, 'Exceeded allowed attempts 1 in interval 1m0s and mode is "fail"')
  })

  await t.test('being asked to end comes as the signal the job names', async (t) => {
    const task = { KillSignal: 'SIGTERM', KillTimeout: 8e9 }
    const loop = 'echo up; while :; do sleep 0.05; done'
    await target.register(aJob('cf-term', `trap "exit 9" TERM; ${loop}`, { task }))
    const impatient = { KillTimeout: 300e6 }
    await target.register(aJob('cf-deaf', `trap "" INT; ${loop}`, { task: impatient }))
    for (const id of ['cf-term', 'cf-deaf']) {
      const allocation = await untilStatus(target, id, 'running')
      await eventually(
        async () => (await readOutput(target, allocation.ID)) === 'up\n',
        'the traps',
      )
    }
    await target.send('DELETE', '/v1/job/cf-term')
    await target.send('DELETE', '/v1/job/cf-deaf')
    const term = await untilStatus(target, 'cf-term', 'complete')
    const told = (allocation: AllocationStub, type: string) =>
      allocation.TaskStates?.['main']?.Events.find((event) => event.Type === type)?.DisplayMessage
    t.equal(told(term, 'Killing'), 'Sent interrupt. Waiting 8s before force killing')
    t.equal(told(term, 'Terminated'), 'Exit Code: 9')
    const deaf = await untilStatus(target, 'cf-deaf', 'complete')
    t.equal(told(deaf, 'Terminated'), 'Exit Code: 137, Signal: 9')
  })

  await t.test('B31: max_run_duration ends an allocation as complete', async (t) => {
    // Counted from the placement: a busy machine needs a while to start the task.
    await target.register(aJob('cf-long', 'exec sleep 60', { group: { MaxRunDuration: 3e9 } }))
    const allocation = await untilStatus(target, 'cf-long', 'complete')
    t.equal(allocation.ClientDescription, 'allocation exceeded max_run_duration')
    t.equal(allocation.DesiredStatus, 'run')
    const ended = await eventually(async () => {
      const [row] = await target.allocations('cf-long')
      return row && eventTypes(row).includes('Killed') && row
    }, 'the task to be killed')
    t.same(eventTypes(ended).slice(3), ['Killing', 'Terminated', 'Killed'])
    t.equal(ended.ClientDescription, 'allocation exceeded max_run_duration')
  })

  await t.test('a stopped allocation is followed by another', async (t) => {
    await target.register(aJob('cf-move', 'exec sleep 60'))
    const first = await untilStatus(target, 'cf-move', 'running')
    await target.send('PUT', `/v1/allocation/${first.ID}/stop`)
    const [old, next] = await eventually(async () => {
      const both = await target.allocations('cf-move')
      return both[1]?.ClientStatus === 'running' && both[0]?.ClientStatus === 'complete' && both
    }, 'the second allocation')
    t.match(old, { DesiredStatus: 'stop', DesiredDescription: 'alloc is being migrated' })
    t.equal(old?.NextAllocation, next?.ID)
    await target.send('DELETE', '/v1/job/cf-move?purge=true')
  })

  await t.test('one that is to be rescheduled by a policy of none is not followed', async (t) => {
    await target.register(aJob('cf-gone', 'exec sleep 60'))
    const first = await untilStatus(target, 'cf-gone', 'running')
    await target.send('PUT', `/v1/allocation/${first.ID}/stop?reschedule=true`)
    await untilStatus(target, 'cf-gone', 'complete')
    await eventually(
      async () => (await target.get('/v1/job/cf-gone'))['Status'] === 'dead',
      'the job to be dead',
    )
    t.equal((await target.allocations('cf-gone')).length, 1)
  })

  await t.test('the leader takes the others with it', async (t) => {
    const task = (Name: string, line: string, more = {}) => ({
      Name,
      Driver: 'raw_exec',
      Config: { command: '/bin/sh', args: ['-c', line] },
      ...more,
    })
    const Tasks = [task('main', 'sleep 0.2', { Leader: true }), task('side', 'exec sleep 60')]
    await target.register(aJob('cf-leader', '', { group: { Tasks } }))
    const allocation = await untilStatus(target, 'cf-leader', 'complete')
    const types = allocation.TaskStates?.['side']?.Events.map((event) => event.Type)
    t.same(types?.slice(2), ['Started', 'Leader Task Dead', 'Killing', 'Terminated', 'Killed'])
  })

  await t.test('every allocation of a group has its own index', async (t) => {
    await target.register(aJob('cf-count', 'exit 0', { group: { Count: 3 } }))
    await eventually(
      async () => (await target.get('/v1/job/cf-count'))['Status'] === 'dead',
      'all three to end',
    )
    const rows = await target.get<{ Name: string }[]>('/v1/job/cf-count/allocations')
    const names = rows.map((row) => row.Name).sort()
    t.same(names, ['cf-count.slice[0]', 'cf-count.slice[1]', 'cf-count.slice[2]'])
  })

  await t.test('what a task leaves behind ends with it', async (t) => {
    const line = 'setsid sleep 61.5 > /dev/null 2>&1 & sleep 61.5 & echo $!; sleep 0.1'
    await target.register(aJob('cf-left', line))
    const allocation = await untilStatus(target, 'cf-left', 'complete')
    const pid = Number(await readOutput(target, allocation.ID))
    t.ok(pid > 1)
    await eventually(() => !isRunning(pid), 'the process to be gone')
  })
}

async function readOutput(target: Target, allocation: string): Promise<string> {
  const path = `/v1/client/fs/logs/${allocation}?task=main&type=stdout&plain=true`
  return (await target.fetch(path)).text()
}
