/** A UDP socket that keeps what comes. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Test } from 'tap'

export interface Sink {
  port: number
  datagrams: string[]
  /** Waits for so many, in all. */
  next(count: number): Promise<string[]>
}

export async function startSink(t: Test, port = 0): Promise<Sink> {
  const socket = createSocket('udp4')
  t.teardown(() => new Promise<void>((resolve) => socket.close(() => resolve())))
  const datagrams: string[] = []
  socket.on('message', (bytes) => void datagrams.push(bytes.toString()))
  await once(socket.bind(port, '127.0.0.1'), 'listening')
  return {
    port: socket.address().port,
    datagrams,
    async next(count) {
      await eventually(() => datagrams.length >= count, `${count} datagrams`)
      return datagrams
    },
  }
}

/** Polls for the condition. @throws after half a minute. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`this did not come: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
