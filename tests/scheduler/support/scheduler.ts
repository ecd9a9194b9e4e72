/** A whole scheduler on real files, with a fake cluster and, unless the test drives it, a real clock. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import {
  buildRequest,
  settings as settingsSchema,
  type BuildRequestInput,
  type BuildView,
  type SettingsInput,
} from '../../../src/model/index.ts'
import {
  silentLog,
  sleep,
  systemClock,
  systemRandom,
  type Clock,
  type MetricSink,
} from '../../../src/platform/index.ts'
import {
  createOutputStore,
  createScheduler,
  type Scheduler,
  type SchedulerNomad,
} from '../../../src/scheduler/index.ts'
import { FakeCluster } from './cluster.ts'

const TEMPLATE = fileURLToPath(
  new URL('../../../nomad/jobs/build-slice.nomad.hcl', import.meta.url),
)

export const SERVER_KEY = Buffer.alloc(32, 7)

/** For tests of how an attempt ends, where what follows it would be in the way. */
export const NO_RETRIES: SettingsInput = { limits: { infrastructure_retries: 0 } }

export interface StartOptions {
  dataDir?: string
  nomad?: SchedulerNomad
  clock?: Clock
  settings?: SettingsInput
  agentCommand?: readonly string[]
  metrics?: MetricSink
}

/** Removed after everything that was started in it is closed, which `t.testdir` is not. */
export function aFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'caravan-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Started; closed when the test ends. */
export async function startScheduler(t: Test, options: StartOptions = {}) {
  const dataDir = options.dataDir ?? aFolder(t)
  const cluster = new FakeCluster()
  const clock = options.clock ?? systemClock
  const settings = settingsSchema.parse(options.settings ?? {})
  // A clock that the test moves waits for no other thread.
  if (options.clock !== undefined) settings.store.url = 'sqlite:caravan.db?thread=main'
  const scheduler = await createScheduler({
    settings,
    dataDir,
    nomad: options.nomad ?? cluster,
    outputs: createOutputStore({ directory: join(dataDir, 'output'), log: silentLog }),
    clock,
    random: systemRandom,
    log: silentLog,
    serverKey: SERVER_KEY,
    publicUrl: () => 'http://127.0.0.1:8080',
    agentCommand: options.agentCommand ?? ['/usr/bin/caravan', 'build-agent'],
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    template: { file: TEMPLATE, text: readFileSync(TEMPLATE, 'utf8') },
  })
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await scheduler.close()
  }
  t.teardown(close)
  await scheduler.start()
  return { scheduler, cluster, clock, dataDir, close }
}

export function aRequest(
  more: Partial<BuildRequestInput> = {},
  steps: readonly string[] = ['true'],
) {
  const run = steps.map((command) => `      - run: ${JSON.stringify(command)}`).join('\n')
  const config = `version: 2.1\njobs:\n  test:\n    machine: true\n    steps:\n${run}\n`
  return buildRequest.parse({ config, org: 'acme', repo: 'site', branch: 'main', ...more })
}

/** Longer than anything takes on a busy machine. */
const PATIENCE_MS = 40_000

/** Looks again and again until the answer is truthy. */
export async function until<T>(
  look: () => T | Promise<T>,
  what: string,
  { patienceMs = PATIENCE_MS }: { patienceMs?: number } = {},
): Promise<Exclude<T, null | undefined | false>> {
  const endMs = systemClock.monotonic() + patienceMs
  for (;;) {
    const seen = await look()
    if (seen) return seen as Exclude<T, null | undefined | false>
    if (systemClock.monotonic() > endMs) throw new Error(`${what}: not seen in time`)
    await sleep(systemClock, 5)
  }
}

/** Slices whose Nomad job may still run, by the rows. */
export function countOpenJobs(dataDir: string): number {
  const database = new DatabaseSync(join(dataDir, 'caravan.db'), { readOnly: true })
  try {
    return database.prepare('select 1 from slices where job_open = 1').all().length
  } finally {
    database.close()
  }
}

export function untilBuild(
  scheduler: Scheduler,
  ref: string,
  wanted: (build: BuildView) => boolean,
): Promise<BuildView> {
  let last: BuildView | null = null
  return until(async () => {
    last = await scheduler.readBuild(ref)
    return last !== null && wanted(last) ? last : null
  }, `build ${ref}`).catch((cause: unknown) => {
    throw new Error(JSON.stringify(last), { cause })
  })
}
