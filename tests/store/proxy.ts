/** Stands between a store and PostgreSQL, and cuts the connection when it hurts most. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

export interface Proxy {
  url: string
  /** The next commit goes through, and its answer does not come back. */
  loseNextCommit(): void
}

const SOCKET = '.s.PGSQL.5432'

/** @param url of a cluster on a socket, `postgres:///DATABASE?host=FOLDER&user=USER`. */
export async function startProxy(t: Test, url: string): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), 'pgp-'))
  const target = new URL(url)
  const to = join(target.searchParams.get('host') ?? '', SOCKET)
  const sockets = new Set<Socket>()
  let isArmed = false
  const server = createServer((near) => {
    const far = connect(to)
    let isDeaf = false
    const end = () => [near, far].forEach((socket) => socket.destroy())
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', end).on('close', end)
    }
    near.on('data', (bytes) => {
      if (isArmed && bytes.includes('COMMIT')) {
        isArmed = false
        isDeaf = true
      }
      far.write(bytes)
    })
    far.on('data', (bytes) => {
      // PostgreSQL says that it has committed; nobody will hear of it.
      if (!isDeaf) near.write(bytes)
      else if (bytes.includes('COMMIT')) end()
    })
  })
  await new Promise<void>((resolve) => server.listen(join(folder, SOCKET), resolve))
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })
  target.searchParams.set('host', folder)
  return { url: target.href, loseNextCommit: () => (isArmed = true) }
}
