import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import t from 'tap'
import { errorBody, sourceAnswer } from '../../src/model/index.ts'
import { asBytes, asJson, call, startScripted } from '../support/scripted-api.ts'
import { until } from '../support/serve.ts'

async function storeSource(bytes: Readable): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of bytes as AsyncIterable<Buffer>) hash.update(chunk)
  return hash.digest('hex')
}

/** A body whose length is not known before. */
function inPieces(bytes: Buffer): RequestInit {
  const pieces = Array.from({ length: Math.ceil(bytes.length / 50_000) }, (_, index) =>
    bytes.subarray(index * 50_000, (index + 1) * 50_000),
  )
  const body = Readable.toWeb(Readable.from(pieces)) as ReadableStream
  const headers = { 'content-type': 'application/octet-stream' }
  return { body, headers, duplex: 'half' }
}

t.test('a source is stored as it was sent, with or without a known length', async (t) => {
  const { api } = await startScripted(t, { storeSource })
  const bytes = randomBytes(1_000_000)
  const id = createHash('sha256').update(bytes).digest('hex')
  for (const init of [asBytes(bytes), inPieces(bytes)]) {
    const { status, json } = await call(api, 'POST', '/api/v1/sources', init)
    t.equal(status, 201)
    t.same(sourceAnswer.parse(json), { id })
  }
})

t.test('a source that is too large is refused, and the sender hears it', async (t) => {
  const { api, log } = await startScripted(t, { storeSource }, { sourceBytesMax: 300_000 })
  for (const init of [asBytes(randomBytes(300_001)), inPieces(randomBytes(2_000_000))]) {
    const { status, json } = await call(api, 'POST', '/api/v1/sources', init)
    t.equal(status, 413)
    const { error, details } = errorBody.parse(json)
    t.same([error, details], ['TOO_LARGE', { bytes_max: 300_000 }])
  }
  t.equal((await call(api, 'POST', '/api/v1/sources', inPieces(randomBytes(300_000)))).status, 201)
  t.same(log, [])
})

t.test('only bytes are taken', async (t) => {
  const { api } = await startScripted(t, { storeSource })
  t.equal((await call(api, 'POST', '/api/v1/sources', asJson({}))).status, 400)
  t.equal((await call(api, 'POST', '/api/v1/sources')).status, 400)
  const form = { body: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  t.equal((await call(api, 'POST', '/api/v1/sources', form)).status, 415)
})

t.test('a disk that is full is our fault, not that of the sender', async (t) => {
  const { api, log } = await startScripted(t, {
    storeSource: async () => {
      throw new Error('ENOSPC')
    },
  })
  const { status } = await call(api, 'POST', '/api/v1/sources', inPieces(randomBytes(1_000_000)))
  t.equal(status, 500)
  t.match(log, [{ level: 'error', fields: { cause: 'ENOSPC' } }])
})

t.test('an upload that breaks off is no source, and no fault of ours', async (t) => {
  let hasBegun = false
  let isRefused = false
  const { api, log } = await startScripted(t, {
    storeSource: async (bytes) => {
      bytes.once('readable', () => (hasBegun = true))
      try {
        return await storeSource(bytes)
      } catch (cause) {
        isRefused = true
        throw cause
      }
    },
  })
  const headers = { 'content-type': 'application/octet-stream', 'content-length': '1000' }
  const sent = request(`${api.url}/api/v1/sources`, { method: 'POST', headers, agent: false })
  sent.on('error', () => undefined)
  sent.write('half of it')
  await until(() => hasBegun)
  sent.destroy()
  await until(() => isRefused)
  await new Promise((resolve) => setImmediate(resolve))
  t.same(log, [])
})
