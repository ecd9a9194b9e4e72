/** Puts the parts of the control plane together, starts them and stops them. */
import { join } from 'node:path'
import {
  CaravanError,
  isResult,
  parseSliceKey,
  toResourceClasses,
  type BuildView,
} from '../model/index.ts'
import { lockFolder, noMetrics, type GaugeReading, type MetricSink } from '../platform/index.ts'
import { openTokenBook, type TokenBook } from './access/index.ts'
import { createAgentGate, createDelivery, createOrders, toClaimToken } from './agents/index.ts'
import { startAfterRestore } from './backup/newer-jobs.ts'
import { createChanges } from './changes.ts'
import { createCluster } from './cluster.ts'
import { createDemand } from './demand/index.ts'
import { toGauges } from './gauges.ts'
import { createHints } from './hints.ts'
import { createIntake } from './intake.ts'
import { buildSliceJob, resourceClassOf, type SliceJob } from './job-builder.ts'
import { createJobStops } from './job-stops.ts'
import { createLeases } from './leases.ts'
import { createLedger, placeOf, type Ledger } from './ledger.ts'
import type { Loops } from './loop.ts'
import { keyOf } from './open-slices.ts'
import { measureLedger, measureOutput } from './measures.ts'
import { createFollow, createFollowers } from './output/index.ts'
import type { Scheduler, SchedulerDeps } from './ports.ts'
import { startOldJobs } from './old-jobs.ts'
import { createReading } from './reading.ts'
import { rerunBuild } from './rerun.ts'
import { createSources } from './sources.ts'
import {
  findBuild,
  openStore,
  readEarlierAttempts,
  readSlices,
  type BuildRow,
  type SliceRow,
  type Store,
} from './store/index.ts'
import { startSubmitter } from './submitter.ts'
import { killTimeoutMsOf, loadSliceTemplate, type JobTemplate } from './template/index.ts'
import { startTracker } from './tracker.ts'
import { startWatch } from './watch.ts'

/**
 * Takes the data directory, opens the store and reads what is open in it. Agents are served from then
 * on; nothing is submitted or tracked before `start`.
 *
 * @throws CaravanError DATA_DIR_LOCKED, STORE_FAILED, TEMPLATE_INVALID or SETTINGS_INVALID.
 */
export async function createScheduler(given: SchedulerDeps): Promise<Scheduler> {
  checkSettings(given)
  const { metrics = noMetrics } = given
  const deps = { ...given, outputs: measureOutput(given.outputs, metrics) }
  const lock = await lockFolder(deps.dataDir, deps.clock.now())
  try {
    const template = await loadSliceTemplate(deps.template.text, deps.template.file)
    const { settings, dataDir, clock, random, log } = deps
    const store = await openStore(settings.store.url, { dataDir, nowMs: clock.now(), random, log })
    try {
      const parts = createParts(deps, store, template)
      await parts.ledger.load()
      measureLedger(parts.ledger, metrics, parts.classes)
      const tokens = await openTokenBook({ store, clock, random, log })
      return assemble(deps, { ...parts, tokens, metrics }, async () => {
        await store.close()
        lock.release()
      })
    } catch (cause) {
      await store.close()
      throw cause
    }
  } catch (cause) {
    lock.release()
    throw cause
  }
}

type Parts = ReturnType<typeof createParts> & { tokens: TokenBook; metrics: MetricSink }

function createParts(deps: SchedulerDeps, store: Store, template: JobTemplate) {
  const { settings, nomad, outputs, clock, random, log } = deps
  const classes = toResourceClasses(settings.class)
  const changes = createChanges((cause) => log.error('a follower failed', { cause }))
  const policy = { limit: settings.limits.infrastructure_retries, random: () => random.number() }
  const ledger = createLedger({ store, clock, changes, policy })
  const hints = createHints((key) => {
    const place = parseSliceKey(key)
    if (place !== null) changes.announce(place.build, { kind: 'slice', slice: place.index })
  })
  const cluster = createCluster({ nomad, datacenters: settings.nomad.datacenters, clock })
  const buildJob = async (build: BuildRow, slice: SliceRow): Promise<SliceJob> =>
    buildSliceJob({
      build,
      slice,
      earlier: slice.epoch > 1 ? await readEarlierAttempts(store.read, placeOf(slice)) : [],
      template,
      settings,
      resourceClass: resourceClassOf(build.resource_class, classes),
      installId: store.installId,
      agentCommand: deps.agentCommand,
      url: deps.publicUrl(),
      claimToken: toClaimToken(deps.serverKey, keyOf(slice), slice.epoch),
      version: await cluster.version(),
    })
  const sources = createSources({ directory: join(deps.dataDir, 'sources'), random })
  const followers = createFollowers()
  const outputMax = settings.limits.output
  return {
    ledger,
    followers,
    orders: createOrders(followers),
    hints,
    cluster,
    classes,
    demand: createDemand({ ledger, classes, clock }),
    sources,
    buildJob,
    killTimeoutMs: killTimeoutMsOf(template),
    installId: store.installId,
    storeFault: () => store.fault(),
    restoredMs: store.restoredMs,
    leases: createLeases(clock),
    reading: createReading({ read: store.read, outputs, hints }),
    delivery: createDelivery({ ledger, outputs, outputMax, clock, log }),
    stops: createJobStops({ nomad, clock, log }),
    closing: new AbortController(),
  }
}

function assemble(deps: SchedulerDeps, parts: Parts, release: () => Promise<void>): Scheduler {
  const { outputs, clock } = deps
  const { ledger, reading, sources, closing } = parts
  const intake = createIntake({ ...deps, ...parts })
  let loops: Loops | null = null
  const read = async (build: BuildRow): Promise<BuildView> => {
    const view = await reading.build(build.id)
    if (view === null) throw new CaravanError('STORE_FAILED', `build ${build.number} is gone`)
    return view
  }
  return {
    submit: async (request) => read(await intake.submit(request)),
    dryRun: (request) => intake.dryRun(request),
    listBuilds: (page) => reading.builds(page),
    readBuild: (ref) => reading.build(ref),
    async rerunBuild(ref, options) {
      const build = await rerunBuild({ ...deps, ...parts }, ref, options)
      return build === null ? null : read(build)
    },
    async cancelBuild(ref) {
      const build = await findBuild(ledger.read, ref)
      if (build === null) return null
      await cancelSlices(ledger, build)
      return read(build)
    },
    follow: createFollow({
      changes: ledger.changes,
      followers: parts.followers,
      readBuild: (ref) => reading.build(ref),
      outputs,
      clock,
    }),
    readOutput: (place, range) => reading.output(place, range),
    storeSource: (bytes) => sources.store(bytes),
    agents: createAgentGate({ ...deps, ...parts, closing: closing.signal }),
    tokens: parts.tokens,
    demand: parts.demand,
    faults: () => faultsOf(parts, loops),
    gauges: () => readGauges(deps, parts),
    health: () =>
      Promise.resolve(
        [parts.storeFault(), ...(loops?.faults() ?? ['not started'])].filter(
          (each) => each !== null,
        ),
      ),
    async start() {
      await sources.tidy()
      loops ??= start(deps, parts)
    },
    async close() {
      closing.abort(new Error('the scheduler is closing'))
      try {
        await loops?.stop()
        await parts.stops.close()
        await parts.delivery.settle()
        await outputs.close()
      } finally {
        await release()
      }
    },
  }
}

/** As old as nodes may be in a gauge: the queue reads them more often when it needs to. */
const NODES_AGE_MAX_MS = 10_000

async function readGauges({ clock, log }: SchedulerDeps, parts: Parts): Promise<GaugeReading[]> {
  const { ledger, classes, cluster } = parts
  const nodes = await cluster.nodes(NODES_AGE_MAX_MS).catch((cause: unknown) => {
    log.debug('the nodes could not be read for gauges', { cause })
    return null
  })
  return toGauges({ open: ledger.open, classes, nodes, nowMs: clock.now() })
}

/** What nobody but this process, or its store, has to do with. */
function faultsOf(parts: Parts, loops: Loops | null): string[] {
  return [parts.storeFault(), loops === null ? 'not started' : null].filter((each) => each !== null)
}

/** After a restore, what Nomad knows better comes first: it may hold names that are needed. */
function start(deps: SchedulerDeps, parts: Parts): Loops {
  const startAll = () => startLoops(deps, parts)
  return parts.restoredMs === null ? startAll() : startAfterRestore(startAll, { ...deps, ...parts })
}

function startLoops(deps: SchedulerDeps, parts: Parts): Loops {
  const { ledger, hints, leases, stops, delivery, orders } = parts
  const { limits } = deps.settings
  const submitter = startSubmitter({
    ...deps,
    ...parts,
    build: ({ build, slice }) => parts.buildJob(build, slice),
  })
  const tracker = startTracker({
    ...deps,
    ...parts,
    limits,
    onConnected: () => submitter.hurry(),
    onNodesChanged: () => submitter.wake(),
  })
  const watch = startWatch({ ...deps, ...parts, limits })
  const oldJobs = startOldJobs({ ...deps, ...parts })

  ledger.onCommit((slices) => {
    for (const slice of slices) {
      const key = keyOf(slice)
      if (slice.state === 'starting') hints.set(key, 'nomad', null)
      const isTriedAgain = slice.epoch > 1 && slice.state === 'waiting_run'
      if (!isTriedAgain && !isResult(slice.state)) continue
      hints.forget(key)
      leases.forget(key)
      delivery.forget(key)
      orders.forget(key)
      if (isTriedAgain) {
        stops.forget(key)
        tracker.forget({ ...slice, key })
        hints.set(key, 'queue', 'waits a moment before it is tried again')
        oldJobs.wake()
        continue
      }
      const entry = ledger.open.get(key)
      if (entry === undefined) {
        watch.forget(key)
        stops.forget(key)
        tracker.forget({ ...slice, key })
      } else if (!entry.attempt?.reported_reason) {
        // Whatever still runs of it runs in vain; and Nomad itself might start it once more.
        stops.stop(entry)
      }
    }
    tracker.note(slices)
    submitter.wake()
  })
  return {
    faults: () =>
      [submitter.fault(), ...tracker.faults(), watch.fault(), oldJobs.fault()].filter(
        (fault) => fault !== null,
      ),
    async stop() {
      await Promise.all([submitter.stop(), tracker.stop(), watch.stop(), oldJobs.stop()])
    },
  }
}

async function cancelSlices(ledger: Ledger, build: BuildRow): Promise<void> {
  await ledger.write(async (entry) => {
    for (const slice of await readSlices(entry.writer, build.id)) {
      const fact = { kind: 'cancel' as const, epoch: slice.epoch }
      await entry.record(placeOf(slice), { ...fact, reason: 'canceled_by_user' })
    }
  })
}

/** An HMAC key that is shorter than its hash is easier to guess than its tokens. */
const SERVER_KEY_BYTES_MIN = 32

function checkSettings({ serverKey, agentCommand }: SchedulerDeps): void {
  const refuse = (message: string): never => {
    throw new CaravanError('SETTINGS_INVALID', message)
  }
  if (agentCommand.length === 0) refuse('nomad.agent_command is empty')
  if (serverKey.length < SERVER_KEY_BYTES_MIN) {
    refuse(`the server key has ${serverKey.length} bytes, it needs ${SERVER_KEY_BYTES_MIN}`)
  }
}
