import t from 'tap'
import { EventBuffer } from '../../../../src/dev/nomad-engine/state/event-buffer.ts'
import type { Commit } from '../../../../src/dev/nomad-engine/state/rows.ts'
import { aNode, anAllocation, aStoredJob } from '../builders.ts'

function commit(index: number): Commit {
  const after = aNode()
  return {
    index,
    type: 'NodeRegistration',
    changes: [{ table: 'node', key: after.ID, before: undefined, after }],
  }
}

t.test('the last hundred batches are kept, and what is older is gone', (t) => {
  const buffer = new EventBuffer()
  t.equal(buffer.at(0), undefined, 'nothing has happened yet')
  for (let index = 1; index <= 150; index++) buffer.append(commit(index))
  t.equal(buffer.at(0), null)
  const oldest = buffer.at(buffer.positionOf(0))
  t.equal(oldest?.index, 51)
  t.equal(buffer.at(buffer.positionOf(120))?.index, 120, 'an index that is there is sent again')
  t.equal(buffer.at(buffer.positionOf(151)), undefined, 'the next to come')
  t.end()
})

t.test('an index that was skipped starts at the closest one after it', (t) => {
  const buffer = new EventBuffer()
  for (const index of [10, 20, 30]) buffer.append(commit(index))
  t.equal(buffer.at(buffer.positionOf(11))?.index, 20)
  t.end()
})

t.test("settings and handles are nobody else's business", (t) => {
  const buffer = new EventBuffer()
  const put = { allocation: 'a', task: 't', pid: 1, startTime: '1' }
  const change = { table: 'task' as const, key: 'k', before: undefined, after: put }
  buffer.append({ index: 1, type: 'Internal', changes: [change] })
  t.equal(buffer.at(0), undefined)
  t.end()
})

t.test('an allocation is told without its job, a purged job with a mark', (t) => {
  const job = aStoredJob('job')
  const allocation = anAllocation(job)
  const buffer = new EventBuffer()
  buffer.append({
    index: 1,
    type: 'JobDeregistered',
    changes: [
      { table: 'job', key: 'default\0job', before: job, after: undefined },
      { table: 'allocation', key: allocation.ID, before: undefined, after: allocation },
    ],
  })
  const [gone, placed] = (buffer.at(0)?.events ?? []).map(
    (event) => JSON.parse(event.json()) as { Payload: Record<string, object> },
  )
  t.match(gone, { Topic: 'Job', Type: 'JobDeregistered', Payload: { Deleted: true } })
  t.match(placed, { Topic: 'Allocation', FilterKeys: ['job', ''] })
  t.notOk(Object.keys(placed?.Payload['Allocation'] ?? {}).includes('Job'))
  t.end()
})
