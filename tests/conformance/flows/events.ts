/** The event stream. */
import type { Test } from 'tap'
import { aJob, untilStatus } from '../../dev/nomad-engine/support.ts'
import type { Target } from '../target.ts'

interface StreamEvent {
  Topic: string
  Type: string
  Key: string
  Namespace: string
  FilterKeys: string[] | null
  Index: number
  Payload: Record<string, Record<string, unknown>> & { Deleted?: boolean; Timeout?: boolean }
}

export async function eventFlows(t: Test, target: Target): Promise<void> {
  await t.test('a job tells its life by topic, type and key', async (t) => {
    const start = await currentIndex(target)
    await target.register(aJob('cf-life', 'exit 0'))
    await untilStatus(target, 'cf-life', 'complete')
    await target.send('DELETE', '/v1/job/cf-life?purge=true')

    const events = await collect(target, `index=${start + 1}`, (all) =>
      all.some((event) => event.Payload.Deleted === true && event.Key === 'cf-life'),
    )
    const own = events.filter(
      (event) => event.Key === 'cf-life' || event.FilterKeys?.[0] === 'cf-life',
    )
    const told = own.map((event) => `${event.Topic} ${event.Type}`)
    t.same(told.slice(0, 5), [
      'Job JobRegistered',
      'Evaluation JobRegistered',
      'Evaluation PlanResult',
      'Allocation PlanResult',
      'Job PlanResult',
    ])
    t.ok(told.includes('Evaluation EvaluationUpdated'))
    t.ok(told.includes('Job JobDeregistered'))
    const updates = own.filter((event) => event.Type === 'AllocationUpdated')
    const statuses = updates.flatMap((event) => event.Payload['Allocation']?.['ClientStatus'] ?? [])
    t.equal(statuses.at(-1), 'complete')
    const [allocation] = updates.flatMap((event) => event.Payload['Allocation'] ?? [])
    t.match(allocation, { JobID: 'cf-life', TaskStates: { main: {} } })
    t.notOk(Object.keys(allocation ?? {}).includes('Job'), 'the job is left out')
    t.ok(own.every((event) => event.Namespace === 'default' && event.Index > start))
  })

  await t.test('a topic can be narrowed to one job', async (t) => {
    const start = await currentIndex(target)
    for (const id of ['cf-narrow', 'cf-narrow-2']) await target.register(aJob(id, 'exit 0'))
    for (const id of ['cf-narrow', 'cf-narrow-2']) await untilStatus(target, id, 'complete')
    const query = `index=${start + 1}&topic=Allocation:cf-narrow&topic=Evaluation:cf-narrow`
    const events = await collect(target, query, (all) =>
      all.some((event) => event.Payload['Allocation']?.['ClientStatus'] === 'complete'),
    )
    t.ok(events.every((event) => event.FilterKeys?.[0] === 'cf-narrow'))
    t.same([...new Set(events.map((event) => event.Topic))].sort(), ['Allocation', 'Evaluation'])
  })

  await t.test('a time limit is told with the allocation', async (t) => {
    const start = await currentIndex(target)
    await target.register(aJob('cf-timeout', 'exec sleep 60', { group: { MaxRunDuration: 300e6 } }))
    const query = `index=${start + 1}&topic=Allocation:cf-timeout`
    const events = await collect(target, query, (all) =>
      all.some((event) => event.Payload.Timeout === true),
    )
    t.match(events.at(-1)?.Payload, {
      Timeout: true,
      TimeoutReason: 'allocation exceeded max_run_duration',
      Allocation: { ClientStatus: 'complete' },
    })
  })
}

async function currentIndex(target: Target): Promise<number> {
  const paths = ['/v1/evaluations', '/v1/allocations', '/v1/jobs']
  const answers = await Promise.all(paths.map((path) => target.fetch(`${path}?per_page=1`)))
  return Math.max(...answers.map((answer) => Number(answer.headers.get('x-nomad-index'))))
}

/** Reads the stream until the events satisfy the test. */
async function collect(
  target: Target,
  query: string,
  isEnough: (events: StreamEvent[]) => boolean,
): Promise<StreamEvent[]> {
  const abort = AbortSignal.timeout(15_000)
  const response = await target.fetch(`/v1/event/stream?${query}`, { signal: abort })
  const events: StreamEvent[] = []
  let rest = ''
  for await (const chunk of response.body ?? []) {
    rest += Buffer.from(chunk as Uint8Array).toString()
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines.filter(Boolean)) {
      const { Events } = JSON.parse(line) as { Events?: StreamEvent[] }
      events.push(...(Events ?? []))
    }
    if (isEnough(events)) return events
  }
  throw new Error(`the stream ended after ${events.length} events`)
}
