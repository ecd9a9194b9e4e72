/** How the tables come to be, on every backend. */
import type { Test } from 'tap'
import { openStore, takeBuildNumber } from '../../src/scheduler/store/index.ts'
import { deps, open, type TestBackend } from './backend.ts'

export async function testMigrations(t: Test, backend: TestBackend): Promise<void> {
  t.test('a store of a newer version is refused, and left as it is', async (t) => {
    const url = await backend.fresh(t)
    await (await open(t, url)).close()
    const future = `insert into kysely_migration values ('9999_from_the_future', '2026-01-01')`
    await backend.execute(url, future)
    const refusal = { code: 'STORE_FAILED', message: /written by a newer version of Caravan/ }
    await t.rejects(openStore(url, deps), refusal)
    await backend.execute(url, `delete from kysely_migration where name = '9999_from_the_future'`)
    t.equal(await (await open(t, url)).write(takeBuildNumber), 1)
  })

  t.test('a step that fails leaves nothing behind, and names itself', async (t) => {
    const url = await backend.fresh(t)
    // In the way of the last of many statements.
    await backend.execute(url, 'create table notices (text text)')
    await t.rejects(openStore(url, deps), {
      code: 'STORE_FAILED',
      message: /step 0001_builds_and_slices failed/,
    })
    await backend.execute(url, 'drop table notices')
    t.equal(await (await open(t, url)).write(takeBuildNumber), 1, 'all of it could be made')
  })

  t.test('several that open a new store at once make it once', async (t) => {
    const url = await backend.fresh(t)
    const names = await Promise.all(
      [1, 2, 3].map(async () => {
        const store = await openStore(url, deps)
        await store.close()
        return store.installId
      }),
    )
    t.equal(new Set(names).size, 1)
  })
}
