import t from 'tap'
import { ItemQueue } from '../../src/nomad/item-queue.ts'
import { collect } from '../support/fake-nomad.ts'

t.test('items come in order, before and after the reader waits', async (t) => {
  const queue = new ItemQueue<number>(10)
  queue.push(1, 1)
  const reading = collect(queue)
  await new Promise((resolve) => setImmediate(resolve))
  queue.push(2, 1)
  queue.push(3, 1)
  queue.end()
  t.same(await reading, [1, 2, 3])
})

t.test('an error comes after what is queued', async (t) => {
  const queue = new ItemQueue<number>(10)
  queue.push(1, 1)
  queue.end(new Error('lost'))
  const items = queue[Symbol.asyncIterator]()
  t.same(await items.next(), { value: 1, done: false })
  await t.rejects(items.next(), { message: 'lost' })
})

t.test('weight is bounded, freed by reading, and one item always fits', async (t) => {
  const queue = new ItemQueue<string>(10)
  t.ok(queue.push('a', 99), 'into an empty queue')
  t.notOk(queue.push('b', 1))
  const items = queue[Symbol.asyncIterator]()
  t.equal((await items.next()).value, 'a')
  t.ok(queue.push('c', 6))
  t.notOk(queue.push('d', 5))
  queue.clear()
  t.ok(queue.push('e', 10))
  t.equal((await items.next()).value, 'e')
})
