/**
 * The entry point of the build-agent. One runs for each slice, so it has a bundle of its own, with
 * nothing of the other commands in it.
 */
import { endProcess } from '../platform/index.ts'
import { buildAgent } from './build-agent.ts'

/** Its log goes to Nomad, which may be away; the slice must not hang on that. */
const UNREAD_MS = 5000

await endProcess(await main(), UNREAD_MS)

async function main(): Promise<number> {
  try {
    return await buildAgent(process.argv.slice(3))
  } catch (error) {
    const { reportError } = await import('./io.ts')
    return reportError(process, error)
  }
}
