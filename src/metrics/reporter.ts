/** nomad-metrics as a whole: its modes, each on a grid of its own, and where their gauges go. */
import type { Clock } from '../platform/index.ts'
import type { Complaints } from './complaints.ts'
import type { Mode } from './explain-failure.ts'
import { toLines, type Gauge } from './gauge.ts'
import { createPoller, type NomadSource, type Poller } from './poller.ts'
import {
  learnNode,
  pollClient,
  pollFleet,
  pollServer,
  WrongAgentError,
  type ClientPollOptions,
  type KnownNode,
  type PollContext,
  type ServerPollOptions,
} from './polls.ts'
import { toExposition } from './prometheus.ts'
import type { Sender } from './sender.ts'
import { runTicks, toOffsetMs } from './ticks.ts'
import { checkToken, type NeededRight } from './token-check.ts'
import type { Tags } from './format.ts'

export interface ReporterOptions {
  modes: readonly Mode[]
  server: ServerPollOptions
  client: ClientPollOptions
  /** Of every gauge. */
  tags: Tags
  /** A token that does not see all namespaces makes the poll of the server fail. */
  requireAllNamespaces: boolean
  /** Also what the reporter itself costs. */
  reporterMetrics: boolean
  intervalMs: number
  /** One for each mode, so that a slow one holds up no other. */
  openNomad: () => NomadSource
  sender: Sender
  complaints: Complaints
  clock: Clock
}

export interface Reporter {
  /** Settles when it was stopped. @throws WrongAgentError */
  readonly ended: Promise<void>
  /** What Prometheus reads: the gauges of the last polls. */
  exposition(): string
  /** Lets go of the poll under way, sends what is queued. */
  stop(): Promise<void>
}

export function startReporter(options: ReporterOptions): Reporter {
  const stopping = new AbortController()
  const latest = new Map<Mode, readonly Gauge[]>()
  const runs = options.modes.map((mode) => runMode(mode, options, latest, stopping))
  const ended = Promise.all(runs).then(() => undefined)
  return {
    ended,
    exposition: () => toExposition([...latest.values()].flat()),
    async stop() {
      stopping.abort(new Error('stopped'))
      await ended
      await options.sender.close()
    },
  }
}

async function runMode(
  mode: Mode,
  options: ReporterOptions,
  latest: Map<Mode, readonly Gauge[]>,
  stopping: AbortController,
): Promise<void> {
  const { clock, intervalMs, sender, complaints } = options
  const { signal } = stopping
  const source = options.openNomad()
  let skipped = 0
  let poller: Poller | null = null
  const report = async (gauges: readonly Gauge[]): Promise<void> => {
    const own = options.reporterMetrics ? aboutItself(mode, sender, poller, skipped) : []
    const all = [...gauges, ...own].map((gauge) => ({
      ...gauge,
      tags: { ...options.tags, ...gauge.tags },
    }))
    latest.set(mode, all)
    await sender.send(toLines(all))
  }
  const known: KnownNode = { id: null, filters: false }
  const poll = pollOf(mode, options, known)
  poller = createPoller({ mode, source, poll, complaints, clock, report, signal })
  try {
    const delayMs = mode === 'client' ? await findOffset(source, known, options, signal) : 0
    await runTicks({
      intervalMs,
      delayMs,
      clock,
      signal,
      run: () => poller.run(),
      onSkipped: (more) => (skipped += more),
    })
  } catch (cause) {
    stopping.abort(cause)
    throw cause
  } finally {
    await source.close()
  }
}

function pollOf(
  mode: Mode,
  options: ReporterOptions,
  known: KnownNode,
): (context: PollContext) => Promise<Gauge[]> {
  if (mode === 'fleet') return pollFleet
  const { server, client, requireAllNamespaces } = options
  if (mode === 'client') {
    return watchToken((context) => pollClient(context, client, known), 'read-job', {
      requireAllNamespaces,
    })
  }
  const poll = (context: PollContext) => pollServer(context, server)
  if (server.namespace !== null) return poll
  return watchToken(poll, 'list-jobs', { requireAllNamespaces })
}

/** The same poll, which tells of a token that sees a part only. */
function watchToken(
  poll: (context: PollContext) => Promise<Gauge[]>,
  right: NeededRight,
  { requireAllNamespaces }: Pick<ReporterOptions, 'requireAllNamespaces'>,
): (context: PollContext) => Promise<Gauge[]> {
  let narrow: { why: string | null } | null = null
  return async (context) => {
    const gauges = await poll(context)
    // Asked once: what a token may do is looked up when it is set up, not every ten seconds.
    narrow ??= { why: await checkToken(context.nomad, right, context.signal) }
    const { why } = narrow
    if (why !== null && requireAllNamespaces) throw new Error(why)
    if (why !== null) context.onUnknown(why)
    return gauges
  }
}

/** The node's own place in the interval; at once when the agent can not say which node it is. */
async function findOffset(
  source: NomadSource,
  known: KnownNode,
  { intervalMs }: ReporterOptions,
  signal: AbortSignal,
): Promise<number> {
  try {
    return toOffsetMs(await learnNode(await source.acquire(), known, signal), intervalMs)
  } catch (cause) {
    if (cause instanceof WrongAgentError) throw cause
    // The first poll meets the same, and tells it.
    return 0
  }
}

function aboutItself(mode: Mode, sender: Sender, poller: Poller | null, skipped: number): Gauge[] {
  const { datagrams, bytes, dropped } = sender.counts
  return [
    {
      name: 'circle.reporter.poll.duration',
      value: (poller?.durationMs ?? 0) / 1000,
      tags: { mode },
    },
    { name: 'circle.reporter.polls.skipped', value: skipped, tags: { mode } },
    { name: 'circle.reporter.datagrams.sent', value: datagrams, tags: {} },
    { name: 'circle.reporter.bytes.sent', value: bytes, tags: {} },
    { name: 'circle.reporter.lines.dropped', value: dropped, tags: {} },
  ]
}
