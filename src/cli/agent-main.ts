/**
 * The entry point of the build-agent. One runs for each slice, so it has a bundle of its own, with
 * nothing of the other commands in it.
 */
import { buildAgent } from './build-agent.ts'

try {
  process.exitCode = await buildAgent(process.argv.slice(3))
} catch (error) {
  const { reportError } = await import('./io.ts')
  process.exitCode = reportError(process, error)
}
