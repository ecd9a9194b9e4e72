/**
 * The process that agents of a bench report to: the real API, scheduler and stores. Only Nomad is played:
 * what it is asked to run is started by the bench, which wants to measure it. Started by `startServer`;
 * its arguments are the data directory and the launcher of
 * the agent.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startApi } from '../src/api/index.ts'
import { buildRequest, settings } from '../src/model/index.ts'
import type { NomadJob } from '../src/nomad/index.ts'
import { createLog, createTextWriter, systemClock, systemRandom } from '../src/platform/index.ts'
import { createOutputStore, createScheduler } from '../src/scheduler/index.ts'
import { FakeCluster } from '../tests/scheduler/support/cluster.ts'
import type { FromServer, ToServer } from './agent/messages.ts'
import { watchGate } from './agent/watched-gate.ts'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const TEMPLATE = path('../nomad/jobs/build-slice.nomad.hcl')

const [, , dataDir = '', launcher = ''] = process.argv
const log = createLog(createTextWriter(process.stderr, Date.now), 'warn')
const outputs = createOutputStore({ directory: join(dataDir, 'output'), log })
const cluster = new FakeCluster()
let mask: string[] = []
let url = ''

const scheduler = await createScheduler({
  // The bench may be interrupted: its agents then end by themselves, and soon.
  settings: settings.parse({ limits: { output: '2GiB', orphan: '10s' } }),
  dataDir,
  nomad: cluster,
  outputs,
  clock: systemClock,
  random: systemRandom,
  log,
  serverKey: systemRandom.bytes(32),
  publicUrl: () => url,
  agentCommand: [process.execPath, launcher, 'build-agent'],
  template: { file: TEMPLATE, text: await readFile(TEMPLATE, 'utf8') },
})
const agents = watchGate({
  scheduler,
  outputs,
  mask: () => mask,
  onOver: (slice, report) => tell({ kind: 'over', slice, report }),
})
const api = await startApi({
  scheduler: { ...scheduler, agents },
  listen: { host: '127.0.0.1', port: 0 },
  tokens: [],
  clock: systemClock,
  log,
  version: 'bench',
})
url = api.url
await scheduler.start()

cluster.onRegister = (job) => {
  // Once it is registered, it has its allocation.
  setImmediate(() => tellPlaced(job))
  return undefined
}
process.on('message', (message: ToServer) => {
  if (message.kind === 'ended') cluster.change(message.allocation, { ClientStatus: 'complete' })
  else void submit(message)
})
// The bench is done, or dead.
process.once('disconnect', () => void close())
// An interrupt of the terminal reaches all processes; the bench decides.
process.on('SIGINT', () => undefined)
tell({ kind: 'ready', url })

async function submit(order: Extract<ToServer, { kind: 'submit' }>): Promise<void> {
  mask = order.mask
  const { commands, image } = order
  const place = image === undefined ? { machine: true } : { docker: [{ image }] }
  const steps = commands.map((command) => ({ run: { name: 'measured', command } }))
  const config = JSON.stringify({ version: 2, jobs: { test: { ...place, steps } } })
  await scheduler.submit(buildRequest.parse({ config, org: 'acme', repo: 'site', branch: 'main' }))
}

function tellPlaced(job: NomadJob): void {
  const allocation = [...cluster.allocations.values()].find((each) => each.JobID === job.ID)
  const task = job.TaskGroups[0]?.Tasks[0]
  if (allocation === undefined || task === undefined) throw new Error(`${job.ID} is not placed`)
  const { command, args } = task.Config as { command: string; args: string[] }
  const env = task.Env ?? {}
  const slice = env['CARAVAN_SLICE'] ?? ''
  tell({ kind: 'placed', slice, placed: { slice, allocation: allocation.ID, command, args, env } })
}

async function close(): Promise<void> {
  await api.close()
  await scheduler.close()
}

function tell(message: FromServer): void {
  process.send?.(message)
}
