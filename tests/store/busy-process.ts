/** Writes builds from many sides at once, and says which are stored, until it is killed. */
import { writeSync } from 'node:fs'
import {
  insertBuild,
  insertSlices,
  openStore,
  takeBuildNumber,
} from '../../src/scheduler/store/index.ts'
import { createBuildId } from '../../src/model/index.ts'
import { systemRandom } from '../../src/platform/index.ts'
import { NOW_MS, aBuild, aSlice, someTexts } from '../scheduler/support/rows.ts'
import { deps } from './backend.ts'
import { SLICES } from './crash.ts'

const WRITERS = 12

const store = await openStore(process.argv[2] ?? '', deps)

async function write(): Promise<void> {
  for (;;) {
    const stored = await store.write(async (writer) => {
      const number = await takeBuildNumber(writer)
      const build = aBuild({ id: createBuildId(NOW_MS, systemRandom.bytes(8)), number })
      await insertBuild(writer, build, someTexts())
      for (let slice_index = 0; slice_index < SLICES; slice_index++) {
        await insertSlices(writer, [aSlice(build, { slice_index })])
      }
      return number
    })
    // At once, past every buffer of this process: what is told has to be true from then on.
    writeSync(1, `${stored}\n`)
  }
}

await Promise.all(Array.from({ length: WRITERS }, write))
