/**
 * A whole installation that may die in parts: the real server, the embedded engine, a farm of agents for
 * each node, every one a process, and a network between them that can be cut.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BIN } from '../../support/caravan.ts'
import { type EngineProcess, startEngineProcess } from '../../support/engine/process.ts'
import { type Proxy, startProxy } from '../../support/network/proxy.ts'
import { STEP_SCRIPT } from './content.ts'
import { NODES } from './plan.ts'
import { startRealNomad } from './real-nomad.ts'

export interface World {
  folder: string
  engine: EngineProcess
  /** Where the engine keeps the folders of allocations. */
  allocationsDir: string
  /** From the server to the engine. */
  engineLink: Proxy
  /** From the agents of each node to the server. */
  agentLinks: Proxy[]
  server: Process
  farms: Process[]
  /** Address of the server's API; another one after every start. */
  api(): string
  close(): Promise<void>
}

/** A process that can be killed and started again. */
export interface Process {
  kill(): Promise<void>
  start(): Promise<void>
}

const HERE = fileURLToPath(new URL('.', import.meta.url))
const TEMPLATE = fileURLToPath(
  new URL('../../../nomad/jobs/build-slice.nomad.hcl', import.meta.url),
)

/** Eighty medium slices fit on a node: two hundred fill the cluster to five sixths. */
const CAPACITY = { cpuMhz: 80 * 5000, memoryMiB: 80 * 8704 }

export function nodeName(node: number): string {
  return `node-${node}`
}

/** @param nomad path of the program, to take a real one in the place of the embedded engine. */
export async function startWorld(folder: string, nomad?: string): Promise<World> {
  mkdirSync(join(folder, 'effects'), { recursive: true })
  writeFileSync(join(folder, 'step.sh'), STEP_SCRIPT)
  const template = join(folder, 'slice.nomad.hcl')
  writeFileSync(template, toTemplate(readFileSync(TEMPLATE, 'utf8')))
  // Nobody listens there yet: links are pointed to where the server is once it is known.
  const agentLinks = await Promise.all(
    Array.from({ length: NODES }, () => startProxy({ to: { port: 1 } })),
  )
  const farms = agentLinks.map((link, node) => createFarm(folder, node, link.url))
  const [{ engine, dataDir }] = await Promise.all([
    nomad === undefined ? startEngine(folder) : startNomad(folder, nomad),
    ...farms.map((farm) => farm.start()),
  ])
  const engineLink = await startProxy({ to: engine.url })
  let api = ''
  const server = createServer(folder, { engine: engineLink.url, template }, (url) => {
    api = url
    for (const link of agentLinks) link.retarget(url)
  })
  await server.start()
  return {
    folder,
    engine,
    allocationsDir: join(dataDir, 'alloc'),
    engineLink,
    agentLinks,
    server,
    farms,
    api: () => api,
    async close() {
      await server.kill()
      await engine.close()
      await Promise.all(farms.map((farm) => farm.kill()))
      await Promise.all([engineLink, ...agentLinks].map((link) => link.close()))
    },
  }
}

/** What a step and the launcher need to know beyond what an agent gets. */
function toTemplate(text: string): string {
  const own = '        SEARCH_FARM = "${meta.farm}"\n        SEARCH_NODE = "${node.unique.name}"\n'
  const changed = text.replace(/^ *CARAVAN_EPOCH .*\n/m, (line) => line + own)
  if (changed === text) throw new Error('the job template has no CARAVAN_EPOCH')
  return changed
}

interface Started {
  engine: EngineProcess
  dataDir: string
}

async function startEngine(folder: string): Promise<Started> {
  const dataDir = join(folder, 'nomad')
  const engine = await startEngineProcess({
    dataDir,
    logFile: join(folder, 'engine.log'),
    environment: { PATH: process.env['PATH'], SEARCH_DIR: folder },
    nodes: Array.from({ length: NODES }, (_, node) => ({
      name: nodeName(node),
      ...CAPACITY,
      meta: { farm: farmFile(folder, node) },
    })),
  })
  return { engine, dataDir }
}

function startNomad(folder: string, nomad: string): Promise<Started> {
  const meta = { farm: farmFile(folder, 0) }
  const environment = { SEARCH_DIR: folder }
  return startRealNomad(nomad, { name: nodeName(0), meta, environment, ...CAPACITY })
}

function farmFile(folder: string, node: number): string {
  return join(folder, `farm-${node}`)
}

function createFarm(folder: string, node: number, url: string): Process {
  const log = createWriteStream(join(folder, `farm-${node}.log`), { flags: 'a' })
  return createProcess(async () => {
    const child = fork(join(HERE, 'farm.ts'), [farmFile(folder, node), url], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    child.stderr?.pipe(log, { end: false })
    await firstOf(child, once(child, 'message'))
    return child
  })
}

function createServer(
  folder: string,
  place: { engine: string; template: string },
  onStart: (url: string) => void,
): Process {
  const log = createWriteStream(join(folder, 'server.log'), { flags: 'a' })
  const args = ['server', '--nomad', place.engine, '--listen', '127.0.0.1', '--port', '0']
  const settings = {
    CARAVAN_TEMPLATE: place.template,
    CARAVAN_AGENT_COMMAND: `/bin/bash ${join(HERE, 'launcher.sh')}`,
  }
  return createProcess(async () => {
    const child = spawn(process.execPath, [BIN, ...args, '--data', join(folder, 'data')], {
      env: { PATH: process.env['PATH'], ...COMPILE_CACHE, ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stderr.pipe(log, { end: false })
    const [line] = (await firstOf(child, once(child.stdout, 'data'))) as [Buffer]
    onStart((JSON.parse(line.toString()) as { api: string }).api)
    return child
  })
}

const cache = process.env['NODE_COMPILE_CACHE']
const COMPILE_CACHE = cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }

/** However the search itself ends, what it has started ends with it. */
const started = new Set<ChildProcess>()
process.on('exit', () => started.forEach((child) => child.kill('SIGKILL')))

function createProcess(launch: () => Promise<ChildProcess>): Process {
  let child: ChildProcess | null = null
  let starting: Promise<void> | null = null
  const startOne = async () => {
    const launched = await launch()
    child = launched
    started.add(launched)
    launched.once('exit', () => started.delete(launched))
  }
  return {
    async start() {
      if (child !== null) return
      starting ??= startOne().finally(() => (starting = null))
      await starting
    },
    async kill() {
      await starting
      const old = child
      child = null
      if (old === null || old.exitCode !== null || old.signalCode !== null) return
      const ended = once(old, 'exit')
      old.kill('SIGKILL')
      await ended
    },
  }
}

/** @throws Error when the process ends before. */
async function firstOf(child: ChildProcess, event: Promise<unknown[]>): Promise<unknown[]> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${child.spawnargs.slice(0, 4).join(' ')} ended with ${code}`)
  })
  return Promise.race([event, ended])
}
