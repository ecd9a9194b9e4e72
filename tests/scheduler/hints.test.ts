import t from 'tap'
import { toSliceKey, type SliceKey } from '../../src/model/index.ts'
import { createHints } from '../../src/scheduler/hints.ts'
import { createChanges } from '../../src/scheduler/changes.ts'
import { aBuildId } from './support/rows.ts'

t.test('the most telling source is shown, and a change of what is shown is told', (t) => {
  const told: SliceKey[] = []
  const hints = createHints((key) => told.push(key))
  const key = toSliceKey(aBuildId(), 0)
  hints.set(key, 'queue', 'waits for capacity')
  hints.set(key, 'queue', 'waits for capacity')
  t.equal(told.length, 1)
  hints.set(key, 'agent', 'is silent')
  t.equal(hints.of(key), 'is silent')
  hints.set(key, 'nomad', 'disconnected')
  t.equal(hints.of(key), 'is silent')
  t.equal(told.length, 2)
  hints.set(key, 'agent', null)
  t.equal(hints.of(key), 'disconnected')
  hints.forget(key)
  t.equal(hints.of(key), '')
  t.equal(told.length, 3)
  t.end()
})

t.test('a listener that throws hurts no other, and may leave while it is told', (t) => {
  const faults: unknown[] = []
  const changes = createChanges((cause) => faults.push(cause))
  const build = aBuildId()
  const heard: string[] = []
  changes.subscribe(build, () => {
    throw new Error('mine')
  })
  const leave = changes.subscribe(build, ({ kind }) => {
    heard.push(kind)
    leave()
  })
  changes.subscribe(build, ({ kind }) => heard.push(kind))
  changes.announce(build, { kind: 'build' })
  changes.announce(aBuildId(), { kind: 'slice' })
  changes.announce(build, { kind: 'step' })
  t.strictSame(heard, ['build', 'build', 'step'])
  t.equal(faults.length, 2)
  t.end()
})
