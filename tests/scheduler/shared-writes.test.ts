import t from 'tap'
import { createBuildId } from '../../src/model/index.ts'
import { TestClock, sleep } from '../../src/platform/index.ts'
import type { LedgerEntry } from '../../src/scheduler/ledger-entry.ts'
import { createSharedWrites } from '../../src/scheduler/shared-writes.ts'

const build = createBuildId(0, new Uint8Array(8))

/** Transactions that take 3 ms each, and how many works each of them did. */
function aStore() {
  const clock = new TestClock()
  const groups: number[] = []
  let done = 0
  const share = createSharedWrites(async (work) => {
    const before = done
    const value = await work({} as LedgerEntry)
    groups.push(done - before)
    await sleep(clock, 3)
    return value
  }, clock)
  const write = (index: number) =>
    share({ build, index }, () => {
      done += 1
      return Promise.resolve(index)
    })
  return { clock, groups, write }
}

t.test('what comes alone waits for nobody', async (t) => {
  const { clock, groups, write } = aStore()
  const value = write(1)
  await clock.tick(0)
  t.strictSame(groups, [1])
  await clock.tick(3)
  t.equal(await value, 1)
})

t.test('what comes during a transaction and right after it is done together', async (t) => {
  const { clock, groups, write } = aStore()
  const values = [write(0)]
  await clock.tick(1)
  values.push(write(1), write(2))
  await clock.tick(3)
  values.push(write(3))
  await clock.tick(1)
  t.strictSame(groups, [1], 'as long as the one before took, company is waited for')
  await clock.tick(1)
  t.strictSame(groups, [1, 3])
  await clock.tick(10)
  t.strictSame(await Promise.all(values), [0, 1, 2, 3])
})

t.test('after a pause the next one begins at once again', async (t) => {
  const { clock, groups, write } = aStore()
  const first = write(0)
  await clock.tick(100)
  const second = write(1)
  await clock.tick(0)
  t.strictSame(groups, [1, 1])
  await clock.tick(3)
  t.strictSame(await Promise.all([first, second]), [0, 1])
})
