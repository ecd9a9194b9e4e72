/** What the contract needs of a backend under test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { systemRandom } from '../../src/platform/index.ts'
import { createChanges } from '../../src/scheduler/changes.ts'
import { createLedger } from '../../src/scheduler/ledger.ts'
import { openStore, type Store } from '../../src/scheduler/store/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { NOW_MS } from '../scheduler/support/rows.ts'

export interface TestBackend {
  name: string
  /** The URL of a store that nobody has used yet, gone when the test ends. */
  fresh(t: Test): Promise<string>
  /** Runs SQL on it beside every store. */
  execute(url: string, sql: string): Promise<void>
}

export const deps = { nowMs: NOW_MS, random: systemRandom }

/** Closed when the test ends, if not before. */
export async function open(t: Test, url: string): Promise<Store> {
  const store = await openStore(url, deps)
  t.teardown(() => store.close())
  return store
}

export async function openWithLedger(t: Test, url: string) {
  const store = await open(t, url)
  const clock = new TestClock(NOW_MS)
  const changes = createChanges((cause) => {
    throw cause
  })
  const ledger = createLedger({ store, clock, changes })
  await ledger.load()
  return { store, ledger, clock }
}

/** @param query of the URL, such as `?thread=main`. */
export function sqliteBackend(query = ''): TestBackend {
  return {
    name: `SQLite${query}`,
    fresh(t) {
      const folder = mkdtempSync(join(tmpdir(), 'caravan-store-'))
      t.teardown(() => rmSync(folder, { recursive: true, force: true }))
      return Promise.resolve(`sqlite:${join(folder, 'caravan.db')}${query}`)
    },
    execute(url, sql) {
      const database = new DatabaseSync(url.replace(/^sqlite:/, '').replace(/\?.*$/, ''))
      database.exec(sql)
      database.close()
      return Promise.resolve()
    },
  }
}
