/** A thread that opens the store, carries out one message of orders, and breaks at the next one. */
import { parentPort } from 'node:worker_threads'
import type { Order, Reply } from '../../src/scheduler/store/sqlite/protocol.ts'

let messages = 0
answer([{ id: 0, changes: 0 }])
parentPort?.on('message', (orders: Order[]) => {
  messages += 1
  if (messages > 1) throw new Error('out of memory')
  answer(orders.map(({ id }) => ({ id, changes: 0 })))
})

function answer(replies: Reply[]): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  parentPort?.postMessage(replies)
}
