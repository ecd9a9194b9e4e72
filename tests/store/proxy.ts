/** Stands between a store and PostgreSQL, and cuts the connection when it hurts most. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startProxy as startNetworkProxy } from '../support/network/proxy.ts'

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
  const to = { path: join(target.searchParams.get('host') ?? '', SOCKET) }
  const proxy = await startNetworkProxy({ to, at: join(folder, SOCKET) })
  t.teardown(async () => {
    await proxy.close()
    rmSync(folder, { recursive: true, force: true })
  })
  target.searchParams.set('host', folder)
  return {
    url: target.href,
    // PostgreSQL says COMMIT when it has committed; nobody hears of it.
    loseNextCommit: () => void proxy.loseAnswer({ to: 'COMMIT', until: 'COMMIT' }),
  }
}
