/** nomad-metrics and certificates. */
import { once } from 'node:events'
import { copyFileSync, readFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createNomadSource } from '../../src/cli/metrics/nomad-source.ts'
import { explainFailure } from '../../src/metrics/explain-failure.ts'

const folder = join(import.meta.dirname, '../platform/fixtures')
const pem = (name: string) => readFileSync(join(folder, `tls-${name}.pem`), 'utf8')
const CA = join(folder, 'tls-ca.pem')
const serverName = 'server.global.nomad'

async function serveTls(t: Test, options: ServerOptions = {}): Promise<string> {
  const own = { cert: pem('server'), key: pem('server-key'), ...options }
  const server = createServer(own, (_request, response) => void response.end('{"stats":{}}'))
  server.on('tlsClientError', () => undefined)
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** @returns what is told, or an empty text when all is well. */
async function poll(t: Test, options: Parameters<typeof createNomadSource>[0]): Promise<string> {
  const source = createNomadSource(options)
  t.teardown(() => source.close())
  try {
    await (await source.acquire()).agentSelf(AbortSignal.timeout(30_000))
    return ''
  } catch (cause) {
    return explainFailure('server', cause)
  }
}

t.test('D8: a certificate that is not to be trusted', async (t) => {
  const address = `https://${await serveTls(t)}`
  t.equal(await poll(t, { address, ca: CA, serverName }), '')
  t.match(await poll(t, { address, serverName }), /NOMAD_CACERT/, 'nobody knows who signed it')
  t.match(await poll(t, { address, ca: CA }), /NOMAD_TLS_SERVER_NAME/, 'it is for another name')
  const old = (name: string) => join(import.meta.dirname, 'fixtures', name)
  const cert = readFileSync(old('expired.pem'))
  const key = readFileSync(old('expired-key.pem'))
  const expired = `https://${await serveTls(t, { cert, key })}`
  t.match(await poll(t, { address: expired, ca: old('expired-ca.pem'), serverName }), /renew/)
})

t.test('D8: a certificate file that changes is read anew', async (t) => {
  const own = join(t.testdir(), 'ca.pem')
  copyFileSync(join(folder, 'tls-client.pem'), own)
  const source = createNomadSource({ address: `https://${await serveTls(t)}`, ca: own, serverName })
  t.teardown(() => source.close())
  const ask = async () => (await source.acquire()).agentSelf(AbortSignal.timeout(30_000))
  await t.rejects(ask())
  t.equal(await source.acquire(), await source.acquire(), 'it is kept while nothing changes')
  copyFileSync(CA, own)
  t.ok(await ask())
  const missing = createNomadSource({ address: 'https://127.0.0.1:9', ca: join(own, 'no') })
  await t.rejects(missing.acquire(), { code: 'SETTINGS_INVALID' })
})

t.test('D9: HTTP where TLS is spoken, and the other way round', async (t) => {
  const speaksTls = await serveTls(t)
  const plain = createHttp((_request, response) => void response.end('{}'))
  t.teardown(() => plain.close())
  await once(plain.listen(0, '127.0.0.1'), 'listening')
  const { port } = plain.address() as AddressInfo
  t.match(await poll(t, { address: `https://127.0.0.1:${port}` }), /write http:\/\//)
  t.match(await poll(t, { address: `http://${speaksTls}` }), /poll for --server failed/)
  const words = 'Client sent an HTTP request to an HTTPS server.'
  t.match(explainFailure('server', new Error(words)), /write https:\/\//, 'as Nomad says it')
})
