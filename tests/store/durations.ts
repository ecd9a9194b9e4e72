/** How long slices of a job ran, read from the rows. */
import type { Test } from 'tap'
import { insertBuild, insertSlices, readDurations } from '../../src/scheduler/store/index.ts'
import { NOW_MS, aBuild, aSlice, someTexts } from '../scheduler/support/rows.ts'
import { open, type TestBackend } from './backend.ts'

const JOB = { org: 'acme', repo: 'site', job: 'test' }

export async function testDurations(t: Test, backend: TestBackend): Promise<void> {
  t.test('the newest builds that are over tell how long slices ran, newest first', async (t) => {
    const store = await open(t, await backend.fresh(t))
    await store.write(async (writer) => {
      for (let number = 1; number <= 30; number++) {
        const isOver = number !== 29
        const build = aBuild({
          number,
          branch: `branch-${number % 3}`,
          parallelism: 2,
          state: isOver ? 'failed' : 'running',
          finished_ms: isOver ? NOW_MS : null,
        })
        await insertBuild(writer, build, someTexts())
        const times = { started_ms: NOW_MS, finished_ms: NOW_MS + number }
        await insertSlices(writer, [
          aSlice(build, { state: 'succeeded', ...times }),
          aSlice(build, { slice_index: 1, state: 'canceled', ...times }),
        ])
      }
      const other = aBuild({ number: 31, job: 'lint', finished_ms: NOW_MS })
      await insertBuild(writer, other, someTexts())
      await insertSlices(writer, [
        aSlice(other, { state: 'succeeded', started_ms: NOW_MS, finished_ms: NOW_MS + 99 }),
      ])
    })
    const all = await readDurations(store.read, JOB, 100)
    t.strictSame(all, [30, ...Array.from({ length: 19 }, (_, at) => 28 - at)])
    t.strictSame(await readDurations(store.read, JOB, 3), [30, 28, 27])
    t.strictSame(await readDurations(store.read, { ...JOB, job: 'none' }, 3), [])
  })
}
