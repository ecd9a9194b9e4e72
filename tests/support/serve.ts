/** A real HTTP server on a free port, gone when the test ends. */
import { once } from 'node:events'
import { type RequestListener, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Polls until the condition holds. @throws after five seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 5_000
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('the condition did not come true')
    await new Promise((resolve) => setImmediate(resolve))
  }
}
