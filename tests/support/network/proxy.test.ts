import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { Connection } from './connection.ts'
import { type Proxy, startProxy } from './proxy.ts'

/** A server that answers with what it was asked, and a proxy before it. */
async function start(t: Test): Promise<{ proxy: Proxy; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    asked.push(request.url ?? '')
    response.end(`answer to ${request.url}`)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const proxy = await startProxy({ to: { port: (server.address() as AddressInfo).port } })
  t.teardown(async () => {
    await proxy.close()
    server.closeAllConnections()
    server.close()
  })
  return { proxy, asked }
}

const get = async (proxy: Proxy, path: string, ms = 5000) =>
  await (await fetch(proxy.url + path, { signal: AbortSignal.timeout(ms) })).text()

/** @returns the code of what went wrong below the fetch. */
const failure = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'it passed',
    ({ name, cause }: Error) => (cause as { code?: string } | undefined)?.code ?? name,
  )

t.test('a proxy passes what it is not told to stop', async (t) => {
  const { proxy } = await start(t)
  t.equal(await get(proxy, '/one'), 'answer to /one')
  proxy.cut()
  t.equal(await get(proxy, '/two'), 'answer to /two')
})

t.test('a refusing proxy lets nobody in until it heals, on the same port', async (t) => {
  const { proxy, asked } = await start(t)
  const { port } = proxy
  await proxy.refuse()
  t.equal(await failure(get(proxy, '/refused')), 'ECONNREFUSED')
  await proxy.heal()
  t.equal(proxy.port, port)
  t.equal(await get(proxy, '/healed'), 'answer to /healed')
  t.strictSame(asked, ['/healed'])
})

t.test('a black hole takes bytes and gives none', async (t) => {
  const { proxy, asked } = await start(t)
  proxy.blackhole()
  t.equal(await failure(get(proxy, '/lost', 200)), 'TimeoutError')
  t.strictSame(asked, [])
  await proxy.heal()
  t.equal(await get(proxy, '/healed'), 'answer to /healed')
})

t.test('an answer is lost after the server has done its work', async (t) => {
  const { proxy, asked } = await start(t)
  const lost = proxy.loseAnswer({ to: '/commit' })
  t.equal(await get(proxy, '/other'), 'answer to /other')
  t.equal(await failure(get(proxy, '/commit')), 'ECONNRESET')
  await lost
  t.strictSame(asked, ['/other', '/commit'])
  t.equal(await get(proxy, '/commit'), 'answer to /commit')
})

t.test('an answer breaks off after so many bytes', async (t) => {
  const { proxy } = await start(t)
  const lost = proxy.loseAnswer({ to: '/half', afterBytes: 10 })
  const socket = connect(proxy.port, '127.0.0.1')
  socket.write('GET /half HTTP/1.1\r\nHost: server\r\n\r\n')
  t.equal(await text(socket), 'HTTP/1.1 2')
  await lost
})

t.test('what is delayed arrives later, in order, and all of it', async (t) => {
  const { proxy } = await start(t)
  proxy.delay(60)
  const begunMs = performance.now()
  const slow = get(proxy, '/slow')
  setTimeout(() => proxy.delay(0), 20)
  t.equal(await slow, 'answer to /slow')
  t.ok(performance.now() - begunMs >= 55)
})

t.test('a closed proxy leaves no connection open', async (t) => {
  const { proxy } = await start(t)
  const socket = connect(proxy.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await proxy.close()
  await closed
  t.equal(proxy.connectionCount, 0)
})

t.test('a connection that is cut while its end is on its way is closed all the same', async (t) => {
  const { proxy } = await start(t)
  const weather = { isBlackhole: false, delayMs: 0, armed: [] }
  const front = createNetServer({ allowHalfOpen: true })
  await once(front.listen(0, '127.0.0.1'), 'listening')
  const client = connect((front.address() as AddressInfo).port, '127.0.0.1').resume()
  const [near] = (await once(front, 'connection')) as [Socket]
  const connection = new Connection(near, proxy.url, weather)
  near.end()
  connection.reset()
  await once(near, 'close', { signal: AbortSignal.timeout(5000) })
  t.ok(near.destroyed)
  client.destroy()
  front.close()
})
