/** The entry of SQLite's thread: opens the file, then carries out one order after the other. */
import { parentPort, workerData } from 'node:worker_threads'
import { openDatabase, toFailure, type Database } from './database.ts'
import type { Order, Reply, ThreadOptions } from './protocol.ts'

if (parentPort === null) throw new Error('this file runs in a thread of the store')
const port = parentPort

/** Orders that wait for the end of a transaction. */
const held: Order[] = []

const database = open(workerData as ThreadOptions)
if (database !== null) serve(database)

function open(options: ThreadOptions): Database | null {
  try {
    const opened = openDatabase(options)
    post([{ id: 0, changes: 0 }])
    return opened
  } catch (cause) {
    // Nothing listens any more then, and the thread ends.
    post([{ id: 0, failure: toFailure(cause) }])
    return null
  }
}

function serve(opened: Database): void {
  port.on('message', (orders: Order[] | 'close') => {
    if (orders === 'close') {
      opened.close()
      port.close()
      return
    }
    const replies: Reply[] = []
    for (const order of orders) {
      for (const each of [order, ...held.splice(0)]) {
        const reply = opened.carryOut(each)
        if (reply === null) held.push(each)
        else replies.push(reply)
      }
    }
    post(replies)
  })
}

function post(replies: Reply[]): void {
  port.postMessage(replies)
}
