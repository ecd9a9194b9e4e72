/** AWS where only a proxy leads out, with the real clients of AWS in a process of their own. */
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { GROUP, startFarm } from './support/farm.ts'

const fixture = (name: string) =>
  fileURLToPath(new URL(`../platform/fixtures/${name}`, import.meta.url))

/** The certificate is good for this name, which nobody but the proxy knows. */
const HOST = 'server.global.nomad'

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** Ends of a connection that goes away take the other with them. */
function join(one: Duplex, other: Duplex): void {
  one.on('error', () => other.destroy())
  other.on('error', () => one.destroy())
  one.pipe(other).pipe(one)
}

/** Leads to the region, whatever host is asked for, and tells which were. */
async function startProxy(t: Test, endpoint: string) {
  const material = {
    cert: readFileSync(fixture('tls-server.pem')),
    key: readFileSync(fixture('tls-server-key.pem')),
  }
  const region = Number(new URL(endpoint).port)
  const front = createTlsServer(material, (socket) => join(socket, connect(region, '127.0.0.1')))
  const port = await listen(t, front)
  const asked: string[] = []
  const proxy = createServer().on('connect', (request, socket: Duplex) => {
    asked.push(request.url ?? '')
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      join(socket, onward)
    })
  })
  return { asked, url: `http://127.0.0.1:${await listen(t, proxy)}` }
}

t.test('AWS is asked through HTTPS_PROXY', async (t) => {
  const farm = await startFarm(t, { heartbeat: 1800 })
  const proxy = await startProxy(t, farm.endpoint)
  const args = ['doctor', '--group', GROUP]
  const { ended } = farm.start(args, {
    AWS_ENDPOINT_URL: `https://${HOST}`,
    HTTPS_PROXY: proxy.url,
    NODE_EXTRA_CA_CERTS: fixture('tls-ca.pem'),
  })
  const { code, stdout, stderr } = await ended
  t.equal(code, 0, stdout + stderr)
  t.match(stdout, new RegExp(`${GROUP}: hook time`))
  t.ok(proxy.asked.length > 0)
  t.ok(
    proxy.asked.every((each) => each === `${HOST}:443`),
    proxy.asked.join(),
  )
  const direct = proxy.asked.length
  const without = await farm.start(args, { HTTPS_PROXY: proxy.url }).ended
  t.equal(without.code, 0, without.stderr)
  t.equal(proxy.asked.length, direct, 'an emulator without TLS is asked directly')
})
