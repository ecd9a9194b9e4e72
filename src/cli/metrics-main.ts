/**
 * The entry point of nomad-metrics. One runs on each client, so it has a bundle of its own, with nothing of
 * the other commands in it: it must stay small.
 */
import { reportError } from './io.ts'
import { metrics } from './metrics/start.ts'
import { endProcessOf, openProcessIo } from './process-io.ts'

// Whoever only counts what happens goes on counting when nobody reads.
const io = openProcessIo(() => undefined)

await endProcessOf(io, await main())

async function main(): Promise<number> {
  try {
    return await metrics(process.argv.slice(3), io)
  } catch (error) {
    return reportError(io, error, 'nomad-metrics')
  }
}
