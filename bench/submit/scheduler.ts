/**
 * The real scheduler with its real store, on a Nomad that takes jobs and places none. Started by
 * `startScheduler`; its arguments are the address of Nomad and the data directory.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { buildRequest, settings } from '../../src/model/index.ts'
import { createNomadClient, type NomadJob } from '../../src/nomad/index.ts'
import {
  createLog,
  createTextWriter,
  sleep,
  systemClock,
  systemRandom,
} from '../../src/platform/index.ts'
import { createOutputStore, createScheduler } from '../../src/scheduler/index.ts'
import { machineMs } from '../agent/machine.ts'
import type { FromScheduler, ToScheduler } from './scheduler-process.ts'

const TEMPLATE = fileURLToPath(new URL('../../nomad/jobs/build-slice.nomad.hcl', import.meta.url))
/** Rows are looked at beside the scheduler: to ask it for a thousand slices would take it a few milliseconds. */
const LOOK_MS = 1

const [, , address = '', dataDir = ''] = process.argv
const log = createLog(createTextWriter(process.stderr, Date.now), 'warn')
const common = { clock: systemClock, random: systemRandom, log }
const nomad = createNomadClient({ address, ...common })
let answered = 0
let onAnswer: () => void = () => undefined
let sample: NomadJob | null = null

const scheduler = await createScheduler({
  ...common,
  settings: settings.parse({}),
  dataDir,
  nomad: {
    ...nomad,
    async registerJob(job, options) {
      sample ??= job
      const outcome = await nomad.registerJob(job, options)
      answered += 1
      onAnswer()
      return outcome
    },
  },
  outputs: createOutputStore({ directory: join(dataDir, 'output'), log }),
  serverKey: systemRandom.bytes(32),
  publicUrl: () => 'http://127.0.0.1:8080',
  agentCommand: [process.execPath, 'caravan.mjs', 'build-agent'],
  template: { file: TEMPLATE, text: await readFile(TEMPLATE, 'utf8') },
})
await scheduler.start()
const rows = new DatabaseSync(join(dataDir, 'caravan.db'), { readOnly: true })
const registered = rows.prepare(
  "SELECT COUNT(*) AS count FROM slices WHERE build_id = ? AND state = 'placing'",
)
process.on('message', (order: ToScheduler) => void submit(order.slices))
process.once('disconnect', () => void close())
// An interrupt of the terminal reaches all processes; the bench decides.
process.on('SIGINT', () => undefined)
tell({ kind: 'ready' })

/** From the accepted build to when the rows of all its slices say that they are registered. */
async function submit(slices: number): Promise<void> {
  const steps = [{ run: 'true' }]
  const config = JSON.stringify({ version: 2, jobs: { test: { machine: true, steps } } })
  const request = { config, org: 'acme', repo: 'site', branch: 'main', parallelism: slices }
  answered = 0
  const all = new Promise<void>((resolve) => {
    onAnswer = () => {
      if (answered === slices) resolve()
    }
  })
  const cpu = process.cpuUsage()
  const { id } = await scheduler.submit(buildRequest.parse(request))
  const startedMs = machineMs()
  await all
  while (registered.get(id)?.['count'] !== slices) await sleep(systemClock, LOOK_MS)
  const elapsedMs = machineMs() - startedMs
  const { user, system } = process.cpuUsage(cpu)
  if (sample === null) throw new Error('no job was registered')
  tell({ kind: 'registered', elapsedMs, cpuMs: (user + system) / 1000, job: sample })
}

async function close(): Promise<void> {
  rows.close()
  await scheduler.close()
  await nomad.close()
}

function tell(message: FromScheduler): void {
  process.send?.(message)
}
