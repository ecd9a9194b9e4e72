/**
 * A PostgreSQL for the tests: one that CARAVAN_TEST_POSTGRES names, or a cluster of our own in a
 * temporary folder, on a socket that nobody else sees.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import pg from 'pg'
import { sleep, systemClock } from '../../src/platform/index.ts'

export interface Cluster {
  /** Without a schema. */
  url: string
  /** Null when it is somebody else's, which is not ours to stop. */
  control: { stop(how: 'immediate' | 'fast'): Promise<void>; start(): Promise<void> } | null
  close(): Promise<void>
}

const START_MAX_MS = 60_000

/** @returns null when this machine has no PostgreSQL. */
export async function startCluster(): Promise<Cluster | null> {
  const given = process.env['CARAVAN_TEST_POSTGRES']
  if (given) return { url: given, control: null, close: () => Promise.resolve() }
  const programs = findPrograms()
  return programs === null ? null : startOwn(programs)
}

/** Debian keeps them out of the PATH, others do not. */
function findPrograms(): string | null {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root) : []
  const newestFirst = versions.sort((a, b) => Number(b) - Number(a))
  const folders = newestFirst.map((version) => join(root, version, 'bin'))
  folders.push(...(process.env['PATH'] ?? '').split(delimiter))
  return folders.find((folder) => existsSync(join(folder, 'initdb'))) ?? null
}

async function startOwn(programs: string): Promise<Cluster> {
  // Short: the path of a socket has room for about a hundred characters.
  const folder = mkdtempSync(join(tmpdir(), 'pg-'))
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const user = findUser()
  for (const each of [folder, data]) chownSync(each, user.uid, user.gid)
  const how = ['-D', data, '-A', 'trust', '-U', 'caravan', '-E', 'UTF8', '-N']
  execFileSync(join(programs, 'initdb'), how, { ...user, cwd: folder, stdio: 'ignore' })
  const url = `postgres:///postgres?host=${folder}&user=caravan`
  const run = () => {
    const args = ['-D', data, '-k', folder, '-c', 'listen_addresses=']
    const child = spawn(join(programs, 'postgres'), args, { ...user, cwd: folder, stdio: 'ignore' })
    return { child, ended: once(child, 'exit') }
  }
  let server = run()
  const stop = async (how: 'immediate' | 'fast') => {
    server.child.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await server.ended
  }
  process.once('SIGTERM', () => server.child.kill('SIGQUIT'))
  await untilReady(url)
  return {
    url,
    control: {
      stop,
      async start() {
        server = run()
        await untilReady(url)
      },
    },
    async close() {
      await stop('fast')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** It refuses to run as root. */
function findUser(): { uid: number; gid: number } {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  if (own.uid !== 0) return own
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

async function untilReady(url: string): Promise<void> {
  const untilMs = systemClock.monotonic() + START_MAX_MS
  for (;;) {
    try {
      await execute(url, 'select 1')
      return
    } catch (cause) {
      if (systemClock.monotonic() > untilMs) throw new Error('PostgreSQL did not start', { cause })
      await sleep(systemClock, 50)
    }
  }
}

/** On a connection of its own. */
export async function execute<Row>(connectionString: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return (await client.query(sql)).rows as Row[]
  } finally {
    await client.end()
  }
}
