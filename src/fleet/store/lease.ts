/** Who acts: a lease in the store, and a number that grows with each holder. */
import type { FleetStore, Lease } from '../ports.ts'
import type { Statements } from './statements.ts'

type LeaseCalls = Pick<FleetStore, 'takeLease' | 'releaseLease' | 'readLease'>

interface Row extends Lease {
  /** Grows with each renewal: a holder that lives is seen to, whatever its clock says. */
  renewals: number
}

export function leaseCalls(sql: Statements): LeaseCalls {
  /** By who waits for it: the lease as it was seen, and since when it has been so. */
  const seen = new Map<string, { fence: number; renewals: number; sinceMs: number }>()

  /** Clocks of two processes may differ by what one of them was corrected: its own tells each the truth. */
  const isOver = (held: Row, holder: string, nowMs: number, forMs: number): boolean => {
    if (held.untilMs <= nowMs) return true
    const { fence, renewals } = held
    const before = seen.get(holder)
    if (before?.fence === fence && before.renewals === renewals) {
      return nowMs - before.sinceMs >= forMs
    }
    seen.set(holder, { fence, renewals, sinceMs: nowMs })
    return false
  }

  return {
    takeLease: (holder, nowMs, forMs) =>
      sql.inTransaction(() => {
        const held = readLeaseRow(sql)
        const isOwn = held?.holder === holder
        if (held !== null && !isOwn && !isOver(held, holder, nowMs, forMs)) return null
        seen.delete(holder)
        const fence = isOwn ? held.fence : (held?.fence ?? 0) + 1
        const untilMs = nowMs + forMs
        sql.run(
          `INSERT INTO lease (one, holder, fence, until_ms, renewals) VALUES (1, ?, ?, ?, 0)
           ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, fence = excluded.fence,
             until_ms = excluded.until_ms, renewals = renewals + 1`,
          holder,
          fence,
          untilMs,
        )
        return { holder, fence, untilMs }
      }),
    releaseLease({ holder, fence }) {
      sql.run('UPDATE lease SET until_ms = 0 WHERE holder = ? AND fence = ?', holder, fence)
    },
    readLease() {
      const row = readLeaseRow(sql)
      return row === null ? null : { holder: row.holder, fence: row.fence, untilMs: row.untilMs }
    },
  }
}

export function readLeaseRow(sql: Statements): Row | null {
  const [row] = sql.all<{ holder: string; fence: number; until_ms: number; renewals: number }>(
    'SELECT holder, fence, until_ms, renewals FROM lease',
  )
  if (row === undefined) return null
  const { holder, fence, renewals } = row
  return { holder, fence, untilMs: row.until_ms, renewals }
}
