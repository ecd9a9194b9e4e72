/**
 * `nomad-metrics start`, also `caravan metrics start`: gauges about Nomad until a signal ends it.
 *
 * Reads flags and environment alone, and writes nothing on stdout: it runs on every client, and has to
 * start fast and stay small there.
 */
import {
  createComplaints,
  createSender,
  startPullServer,
  startReporter,
  WrongAgentError,
} from '../../metrics/index.ts'
import { systemClock, systemResolve } from '../../platform/index.ts'
import { EXIT, type Io } from '../io.ts'
import { createNomadSource } from './nomad-source.ts'
import { METRICS_HELP, readMetricsOptions, type MetricsOptions } from './options.ts'

/** What is queued is sent within this time, or not at all: a service manager waits for us. */
const STOP_MS = 1000

/** @param args what follows `caravan metrics`. @returns the exit code. */
export async function metrics(args: readonly string[], io: Io): Promise<number> {
  const [command, ...rest] = args
  if (command === '--help' || command === '-h') return help(io)
  if (command !== 'start') {
    io.stderr.write(`nomad-metrics: there is one command, start\n\n${METRICS_HELP}`)
    return EXIT.usage
  }
  const options = readMetricsOptions(rest, io.env)
  return options === null ? help(io) : await run(options, io)
}

function help(io: Io): number {
  io.stdout.write(METRICS_HELP)
  return EXIT.ok
}

async function run(options: MetricsOptions, io: Io): Promise<number> {
  const clock = systemClock
  const complaints = createComplaints(
    clock,
    (line) => void io.stderr.write(`nomad-metrics: ${line}\n`),
  )
  const sender = createSender({
    target: options.statsd,
    ...(options.bytesMax === undefined ? {} : { bytesMax: options.bytesMax }),
    resolve: systemResolve,
    clock,
    onFault: (what) => complaints.tell('statsd', what),
  })
  const reporter = startReporter({
    ...options.reporter,
    openNomad: () => createNomadSource(options.nomad),
    sender,
    complaints,
    clock,
  })
  const pull =
    options.listen && (await startPullServer(options.listen, () => reporter.exposition()))
  try {
    return await untilEnded(reporter.ended, io)
  } finally {
    const late = new Promise<void>((resolve) => void clock.after(STOP_MS, resolve).unref())
    await Promise.race([Promise.allSettled([reporter.stop(), pull?.close()]), late])
  }
}

async function untilEnded(ended: Promise<void>, io: Io): Promise<number> {
  const stopped = new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve()
    io.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  try {
    await Promise.race([ended, stopped])
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof WrongAgentError)) throw error
    io.stderr.write(`nomad-metrics: ${error.message}\n`)
    return EXIT.usage
  }
}
