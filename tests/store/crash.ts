/** What is left when the process is gone in the middle of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { listBuilds, readSlices, takeBuildNumber } from '../../src/scheduler/store/index.ts'
import { open, type TestBackend } from './backend.ts'

const CHILD = fileURLToPath(new URL('./busy-process.ts', import.meta.url))

/** Each transaction of the child stores a build with so many slices. */
export const SLICES = 3

export async function testCrashes(t: Test, backend: TestBackend): Promise<void> {
  t.test(
    'after kill -9 every commit that was acknowledged is there, and no half of one',
    async (t) => {
      const url = await backend.fresh(t)
      const acknowledged: number[] = []
      // Killed twice: the second one starts on what the first one left.
      for (const enough of [60, 160]) await runUntil(url, acknowledged, enough)

      const store = await open(t, url)
      const builds = await listBuilds(store.read, { limit: 100_000 })
      const numbers = new Set(builds.map(({ number }) => number))
      t.equal(numbers.size, builds.length)
      t.strictSame(
        acknowledged.filter((number) => !numbers.has(number)),
        [],
        'none is lost',
      )
      const counts = await Promise.all(
        builds.map(async ({ id }) => (await readSlices(store.read, id)).length),
      )
      t.ok(counts.every((count) => count === SLICES))
      t.equal(await store.write(takeBuildNumber), Math.max(...numbers) + 1)
    },
  )
}

async function runUntil(url: string, acknowledged: number[], enough: number): Promise<void> {
  const child = spawn(process.execPath, [CHILD, url], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line))
    if (acknowledged.length >= enough) child.kill('SIGKILL')
  }
  await exited
}
