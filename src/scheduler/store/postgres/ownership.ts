/**
 * One server to a store.
 *
 * A server decides from what it holds in memory, so two of them on one database would each undo what
 * the other did. Whoever writes holds an advisory lock with the very connection it writes on: when the
 * connection is gone so is the lock, and nothing can be written without it.
 */
import type { Client } from 'pg'
import { CaravanError } from '../../../model/index.ts'
import { sleep, type Clock } from '../../../platform/index.ts'

export interface OwnershipOptions {
  schema: string
  /** The `application_name` of our writing connection, different in each process. */
  name: string
  clock: Clock
  /** How long a server before us, that was killed a moment ago, may take to be gone. */
  waitMs: number
  signal: AbortSignal
}

const LOOK_AGAIN_MS = 250

/** @throws CaravanError STORE_FAILED when another server has the store. */
export async function takeOwnership(client: Client, options: OwnershipOptions): Promise<void> {
  const { schema, name, clock, waitMs, signal } = options
  const untilMs = clock.monotonic() + waitMs
  // Ours from before: the server may not know yet that its other end is gone.
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = $1 and pid <> pg_backend_pid()`,
    [name],
  )
  while (!(await tryLock(client, schema))) {
    if (clock.monotonic() >= untilMs || signal.aborted) {
      throw new CaravanError(
        'STORE_FAILED',
        `another Caravan server uses schema ${schema} of this database: ${await findOwner(client, schema)}. ` +
          'Stop it first, or give this one a schema of its own',
      )
    }
    await sleep(clock, LOOK_AGAIN_MS, signal)
  }
}

const LOCK_KEY = `hashtextextended('caravan server of ' || $1, 0)`

async function tryLock(client: Client, schema: string): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(
    `select pg_try_advisory_lock(${LOCK_KEY}) as taken`,
    [schema],
  )
  return rows[0]?.taken === true
}

async function findOwner(client: Client, schema: string): Promise<string> {
  const { rows } = await client.query<{ owner: string }>(
    `select a.application_name || ', connected from ' ||
        coalesce(host(a.client_addr), 'its own machine') ||
        ' since ' || to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ') as owner
      from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) | l.objid::bigint = ${LOCK_KEY}`,
    [schema],
  )
  return rows[0]?.owner ?? 'it has just gone'
}
