/**
 * The fleet's store: one SQLite file, which a controller and commands may open at the same time.
 *
 * It is written a few times a second at most, in the process itself: a write is one to a few milliseconds,
 * and nothing may be done before it is on the disk.
 */
import { CaravanError } from '../../model/index.ts'
import type { Intent } from '../intents.ts'
import type { FleetStore, Lease, PoolWhy, StoredIntent, TickQuery, TickRecord } from '../ports.ts'
import { leaseCalls, readLeaseRow } from './lease.ts'
import { memoryCalls } from './memory-rows.ts'
import { openFile, type Statements } from './statements.ts'

/** About two weeks of a pool that changes once a minute; a quiet one keeps months. */
const TICKS_KEPT = 20_000
/** Intents that have ended are kept so long. */
const INTENTS_KEPT_MS = 30 * 86_400_000

/** @throws CaravanError STORE_FAILED when the file can not be used. */
export async function openFleetStore(file: string): Promise<FleetStore> {
  const sql = await openFile(file)
  return {
    ...leaseCalls(sql),
    ...tickCalls(sql),
    ...orderCalls(sql),
    close: () => sql.close(),
  }
}

type TickCalls = Pick<
  FleetStore,
  'loadMemory' | 'openIntents' | 'commitTick' | 'endIntent' | 'readTicks'
>
type OrderCalls = Pick<FleetStore, 'readOrders' | 'pin' | 'unpin' | 'orderSize'>

/** @throws CaravanError FLEET_LEASED when another one has the lease now. */
function checkFence(sql: Statements, { fence }: Lease): void {
  const held = readLeaseRow(sql)
  if (held?.fence === fence) return
  const detail = { fence, newest: held?.fence ?? null, holder: held?.holder ?? null }
  throw new CaravanError('FLEET_LEASED', 'another controller has taken over', { detail })
}

function tickCalls(sql: Statements): TickCalls {
  const memories = memoryCalls(sql)
  return {
    loadMemory: () => memories.load(),
    openIntents() {
      const rows = sql.all<{ id: string; fence: number; at_ms: number; json: string }>(
        'SELECT id, fence, at_ms, json FROM intents WHERE ended_ms IS NULL ORDER BY at_ms, id',
      )
      return rows.map(({ id, fence, at_ms, json }): StoredIntent => {
        return { id, fence, atMs: at_ms, intent: JSON.parse(json) as Intent }
      })
    },
    commitTick(lease, { atMs, memory, intents, why }) {
      const changes = memory.flatMap((each) => memories.changeOf(lease, each) ?? [])
      if (changes.length + intents.length + why.length === 0) return
      sql.inTransaction(() => {
        checkFence(sql, lease)
        for (const each of changes) memories.write(each)
        for (const { id, fence, intent } of intents) {
          sql.run(
            'INSERT INTO intents (id, fence, at_ms, json) VALUES (?, ?, ?, ?)',
            id,
            fence,
            atMs,
            JSON.stringify(intent),
          )
        }
        if (why.length > 0) insertTick(sql, lease, atMs, why)
      })
      for (const each of changes) memories.noteWritten(lease, each)
    },
    endIntent: (lease, id, outcome, nowMs) =>
      sql.inTransaction(() => {
        checkFence(sql, lease)
        sql.run('UPDATE intents SET ended_ms = ?, outcome = ? WHERE id = ?', nowMs, outcome, id)
        sql.run('DELETE FROM intents WHERE ended_ms < ?', nowMs - INTENTS_KEPT_MS)
      }),
    readTicks: (query) => readTicks(sql, query),
  }
}

function insertTick(
  sql: Statements,
  { fence }: Lease,
  atMs: number,
  why: readonly PoolWhy[],
): void {
  sql.run(
    'INSERT INTO ticks (at_ms, fence, json) VALUES (?, ?, ?)',
    atMs,
    fence,
    JSON.stringify(why),
  )
  sql.run('DELETE FROM ticks WHERE id <= (SELECT MAX(id) FROM ticks) - ?', TICKS_KEPT)
}

function readTicks(sql: Statements, { atMs, about, limit }: TickQuery): TickRecord[] {
  const rows = sql.all<{ at_ms: number; fence: number; json: string }>(
    `SELECT at_ms, fence, json FROM ticks
     WHERE at_ms <= ? AND (? = '' OR instr(json, ?) > 0) ORDER BY id DESC LIMIT ?`,
    atMs ?? Number.MAX_SAFE_INTEGER,
    about ?? '',
    about ?? '',
    limit,
  )
  return rows.map(({ at_ms, fence, json }) => {
    return { atMs: at_ms, fence, why: JSON.parse(json) as PoolWhy[] }
  })
}

function orderCalls(sql: Statements): OrderCalls {
  return {
    readOrders(nowMs) {
      const pins = sql.all<{ node: string; until_ms: number }>(
        'SELECT node, until_ms FROM pins WHERE until_ms > ?',
        nowMs,
      )
      const sizes = sql.all<{ pool: string; size: number; until_ms: number }>(
        'SELECT pool, size, until_ms FROM sizes WHERE until_ms > ?',
        nowMs,
      )
      return {
        pins: new Map(pins.map(({ node, until_ms }) => [node, until_ms])),
        sizes: new Map(
          sizes.map(({ pool, size, until_ms }) => [pool, { size, untilMs: until_ms }]),
        ),
      }
    },
    pin(node, untilMs, nowMs) {
      sql.run('DELETE FROM pins WHERE until_ms <= ?', nowMs)
      sql.run(
        `INSERT INTO pins (node, until_ms) VALUES (?, ?)
         ON CONFLICT (node) DO UPDATE SET until_ms = excluded.until_ms`,
        node,
        untilMs,
      )
    },
    unpin: (node) => sql.run('DELETE FROM pins WHERE node = ?', node) > 0,
    orderSize(pool, size, untilMs, nowMs) {
      sql.run('DELETE FROM sizes WHERE until_ms <= ?', nowMs)
      sql.run(
        `INSERT INTO sizes (pool, size, until_ms) VALUES (?, ?, ?)
         ON CONFLICT (pool) DO UPDATE SET size = excluded.size, until_ms = excluded.until_ms`,
        pool,
        size,
        untilMs,
      )
    },
  }
}
