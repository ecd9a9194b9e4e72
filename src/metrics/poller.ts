/** One mode of nomad-metrics: polls, tells what came of it, and complains when nothing did. */
import type { NomadReadings } from '../nomad/index.ts'
import { deadline, type Clock } from '../platform/index.ts'
import type { Complaints } from './complaints.ts'
import { explainFailure, pauseAfter, type Mode } from './explain-failure.ts'
import type { Gauge } from './gauge.ts'
import type { MetricName } from './names.ts'
import { WrongAgentError, type PollContext } from './polls.ts'

/** Opens Nomad, and opens it anew when its certificates have changed. */
export interface NomadSource {
  acquire(): Promise<NomadReadings>
  close(): Promise<void>
}

export interface PollerOptions {
  mode: Mode
  source: NomadSource
  poll: (context: PollContext) => Promise<Gauge[]>
  complaints: Complaints
  clock: Clock
  /** Takes the whole set of a poll, which takes the place of the one before. */
  report: (gauges: readonly Gauge[]) => Promise<void>
  signal: AbortSignal
}

export interface Poller {
  /** Polls once. Never fails. @throws WrongAgentError when the first poll shows a wrong command line. */
  run(): Promise<void>
  /** Of the last poll, in milliseconds. */
  readonly durationMs: number
}

/** Below the interval, so that polls do not push each other. */
const POLL_MAX_MS = 8_000

const FAILURE: Readonly<Record<Mode, MetricName>> = {
  server: 'circle.nomad.server_agent.poll_failure',
  client: 'circle.nomad.client_agent.poll_failure',
  fleet: 'circle.nomad.fleet.poll_failure',
}

export function createPoller(options: PollerOptions): Poller {
  const { mode, complaints, clock, report, signal } = options
  let hasWorked = false
  let notBeforeMs = 0
  let durationMs = 0
  const failure = (value: 0 | 1): Gauge => ({ name: FAILURE[mode], value, tags: {} })

  const fail = async (cause: unknown): Promise<void> => {
    if (signal.aborted) return
    if (cause instanceof WrongAgentError && !hasWorked) throw cause
    notBeforeMs = clock.monotonic() + pauseAfter(cause)
    // Nothing else: zeros, or what was true before, would be believed.
    complaints.tell(mode, explainFailure(mode, cause))
    await report([failure(1)])
  }

  return {
    get durationMs() {
      return durationMs
    },
    async run() {
      const startMs = clock.monotonic()
      if (startMs < notBeforeMs) return report([failure(1)])
      try {
        const gauges = await readWithin(options)
        // A stop in the middle of a poll is no poll.
        if (signal.aborted) return
        hasWorked = true
        complaints.clear(mode)
        durationMs = clock.monotonic() - startMs
        await report([failure(0), ...gauges])
      } catch (cause) {
        durationMs = clock.monotonic() - startMs
        await fail(cause)
      }
    },
  }
}

async function readWithin({
  source,
  poll,
  complaints,
  clock,
  signal,
}: PollerOptions): Promise<Gauge[]> {
  const limit = deadline(clock, POLL_MAX_MS, signal)
  const onUnknown = (what: string) => complaints.tell(what, what)
  try {
    return await poll({ nomad: await source.acquire(), signal: limit.signal, onUnknown })
  } catch (cause) {
    if (!limit.signal.aborted || signal.aborted) throw cause
    throw new Error(`Nomad did not answer all of it within ${POLL_MAX_MS / 1000} s`, { cause })
  } finally {
    limit.cancel()
  }
}
