/** Fetches the git bundle of a build, as a whole and as it was uploaded. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { CaravanError } from '../../model/index.ts'
import { sleep } from '../../platform/index.ts'
import type { JobContext } from './context.ts'

/** The server was reached each time; more tries hardly help. */
const TRIES_MAX = 5

/**
 * @param id SHA-256 of the bundle's bytes.
 * @returns false when the work ended first.
 * @throws CaravanError SERVER_ERROR when the bytes do not come, or are not those that were uploaded.
 */
export async function downloadSource(context: JobContext, id: string): Promise<boolean> {
  const { workspace, ending, clock, timings, log } = context
  const partFile = `${workspace.bundleFile}.part`
  let last: unknown
  for (let tries = 1; tries <= TRIES_MAX && !ending.signal.aborted; tries++) {
    try {
      const source = await context.openSource(ending.signal)
      if (source === null) return false
      const hash = createHash('sha256')
      await pipeline(
        source,
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            hash.update(chunk)
            yield chunk
          }
        },
        createWriteStream(partFile, { mode: workspace.fileMode }),
        { signal: ending.signal },
      )
      if (hash.digest('hex') === id) {
        await rename(partFile, workspace.bundleFile)
        return true
      }
      last = new CaravanError('SERVER_ERROR', 'the bundle arrived damaged')
    } catch (cause) {
      last = cause
    }
    if (ending.signal.aborted) break
    log.warn('the source did not arrive', { tries, cause: last })
    await sleep(clock, timings.retryBaseMs * tries, ending.signal)
  }
  await rm(partFile, { force: true })
  if (ending.signal.aborted) return false
  throw new CaravanError('SERVER_ERROR', 'the source of the build could not be fetched', {
    cause: last,
  })
}
