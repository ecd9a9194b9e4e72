/** An image registry on loopback, which engines use without TLS: one image, one login, and bad days. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { Test } from 'tap'
import { docker } from './docker.ts'

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const CONFIG = 'application/vnd.docker.container.image.v1+json'
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip'

export interface Registry {
  /** Of the one image that it has. */
  image: string
  /** How the next questions for a manifest are answered, in their order; then all is well. */
  failures: { status: number; code: string }[]
  /** How often somebody with the right login asked for a manifest. */
  asked: () => number
}

/** @param from an image that the engine has, which is served as `app:latest`. */
export async function startRegistry(
  t: Test,
  { from, login }: { from: string; login: string },
): Promise<Registry> {
  const { manifest, blobs } = await readImage(from)
  const failures: Registry['failures'] = []
  let asked = 0
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    const give = (status: number, type: string, body: Buffer | string) => {
      response.writeHead(status, { 'content-type': type, 'content-length': body.length })
      response.end(request.method === 'HEAD' ? '' : body)
    }
    const refuse = (status: number, code: string) =>
      give(status, 'application/json', JSON.stringify({ errors: [{ code, message: code }] }))
    response.setHeader('docker-distribution-api-version', 'registry/2.0')
    if (request.headers.authorization !== `Basic ${Buffer.from(login).toString('base64')}`) {
      response.setHeader('www-authenticate', 'Basic realm="test"')
      refuse(401, 'UNAUTHORIZED')
      return
    }
    if (!path.includes('/manifests/')) {
      const blob = blobs.get(path.split('/').at(-1) ?? '')
      if (path === '/v2/' || blob !== undefined) give(200, 'application/octet-stream', blob ?? '{}')
      else refuse(404, 'BLOB_UNKNOWN')
      return
    }
    asked += 1
    const failure = failures.shift()
    if (failure !== undefined) refuse(failure.status, failure.code)
    else if (/\/(?:latest|sha256:\w+)$/.test(path)) {
      response.setHeader('docker-content-digest', digest(manifest))
      give(200, MANIFEST, manifest)
    } else refuse(404, 'MANIFEST_UNKNOWN')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const image = `127.0.0.1:${(server.address() as AddressInfo).port}/app`
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await docker('image', 'rm', '--force', image).catch(() => undefined)
  })
  return { image, failures, asked: () => asked }
}

/** As `docker push` would take it apart. */
async function readImage(name: string): Promise<{ manifest: Buffer; blobs: Map<string, Buffer> }> {
  const dir = await mkdtemp(join(tmpdir(), 'caravan-image-'))
  try {
    await docker('save', '--output', join(dir, 'image.tar'), name)
    await promisify(execFile)('tar', ['-C', dir, '-xf', join(dir, 'image.tar')])
    const read = async (file: string) => await readFile(join(dir, file))
    const [saved] = JSON.parse((await read('manifest.json')).toString()) as {
      Config: string
      Layers: string[]
    }[]
    const config = await read(saved?.Config ?? '')
    const layers = await Promise.all(
      (saved?.Layers ?? []).map(async (file) => gzipSync(await read(file), { level: 1 })),
    )
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: CONFIG, size: config.length, digest: digest(config) },
      layers: layers.map((each) => ({ mediaType: LAYER, size: each.length, digest: digest(each) })),
    }
    const blobs = new Map([config, ...layers].map((each) => [digest(each), each]))
    return { manifest: Buffer.from(JSON.stringify(manifest)), blobs }
  } finally {
    await rm(dir, { recursive: true })
  }
}

function digest(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
