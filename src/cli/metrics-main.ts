/**
 * The entry point of nomad-metrics. One runs on each client, so it has a bundle of its own, with nothing of
 * the other commands in it: it must stay small.
 */
import { reportError } from './io.ts'
import { metrics } from './metrics/start.ts'
import { openProcessIo } from './process-io.ts'

// Whoever only counts what happens goes on counting when nobody reads.
const io = openProcessIo(() => undefined)

try {
  process.exitCode = await metrics(process.argv.slice(3), io)
} catch (error) {
  process.exitCode = reportError(io, error, 'nomad-metrics')
}
