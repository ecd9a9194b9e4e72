/** A real agent on loopback, for as long as a test runs. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../dev/nomad-engine/support.ts'

/** A dev machine under load takes its time to elect itself leader and to fingerprint. */
const START_DEADLINE_MS = 60_000

export interface RealAgent {
  url: string
  /** Its tasks' folders are in `<dataDir>/alloc`. */
  dataDir: string
  process(): ChildProcess
  /** SIGKILL. Tasks go on. */
  kill(): Promise<void>
  /** Another process on the same folder and ports. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface RealAgentOptions {
  name?: string
  /** What tasks inherit beside what this process has. */
  environment?: Record<string, string>
  /** Over the `client` block. */
  client?: Record<string, unknown>
}

/** @param nomad path of the program. */
export async function startAgent(
  nomad: string,
  options: RealAgentOptions = {},
): Promise<RealAgent> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'))
  const dataDir = join(folder, 'data')
  mkdirSync(dataDir)
  const [http = 0, rpc = 0, serf = 0] = await findPorts(3)
  const file = join(folder, 'agent.json')
  writeFileSync(file, JSON.stringify(toConfig(dataDir, { http, rpc, serf }, options)))
  const output: string[] = []
  const launch = () => {
    const env = { ...process.env, ...options.environment }
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
    const child = spawn(nomad, ['agent', '-config', file], { stdio, env })
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => output.push(chunk.toString()))
    }
    return { child, ended: once(child, 'exit') }
  }
  let agent = launch()
  const url = `http://127.0.0.1:${http}`
  const end = async () => {
    agent.child.kill('SIGINT')
    await agent.ended
    for (const mount of findMounts(folder)) spawnSync('umount', [mount])
    rmSync(folder, { recursive: true, force: true })
  }
  const untilReady = () =>
    eventually(() => isReady(url), 'the agent to be ready', START_DEADLINE_MS)
  try {
    await untilReady()
  } catch (cause) {
    await end()
    throw new Error(`the agent did not start:\n${output.join('')}`, { cause })
  }
  return {
    url,
    dataDir,
    process: () => agent.child,
    async kill() {
      agent.child.kill('SIGKILL')
      await agent.ended
    },
    async restart() {
      agent = launch()
      await untilReady()
    },
    async stop() {
      // Tasks outlive their agent: what still runs is ended while there is one.
      try {
        await stopJobs(url)
      } finally {
        await end()
      }
    },
  }
}

/** Nothing leaves the machine: no update check, no look at a cloud's metadata address. */
function toConfig(
  dataDir: string,
  ports: { http: number; rpc: number; serf: number },
  { name, client }: RealAgentOptions,
) {
  return {
    ...(name === undefined ? {} : { name }),
    data_dir: dataDir,
    bind_addr: '127.0.0.1',
    advertise: { http: '127.0.0.1', rpc: '127.0.0.1', serf: '127.0.0.1' },
    ports,
    disable_update_check: true,
    server: { enabled: true, bootstrap_expect: 1 },
    client: {
      enabled: true,
      node_class: 'linux-64bit',
      servers: [`127.0.0.1:${ports.rpc}`],
      cpu_total_compute: 32_000,
      memory_total_mb: 64_000,
      options: { 'fingerprint.denylist': 'env_aws,env_gce,env_azure,env_digitalocean' },
      ...client,
    },
    plugin: [{ raw_exec: [{ config: [{ enabled: true }] }] }],
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/v1/nodes`)
    if (response.status !== 200) return false
    const nodes = (await response.json()) as {
      Status: string
      Drivers: Record<string, { Healthy: boolean }>
    }[]
    return nodes.some((node) => node.Status === 'ready' && node.Drivers['raw_exec']?.Healthy)
  } catch {
    // It does not listen yet.
    return false
  }
}

async function stopJobs(url: string): Promise<void> {
  const jobs = (await (await fetch(`${url}/v1/jobs?namespace=*`)).json()) as { ID: string }[]
  for (const { ID } of jobs) await fetch(`${url}/v1/job/${ID}`, { method: 'DELETE' })
  await eventually(async () => {
    const response = await fetch(`${url}/v1/allocations?namespace=*`)
    const allocations = (await response.json()) as { ClientStatus: string }[]
    return allocations.every(({ ClientStatus }) => !['pending', 'running'].includes(ClientStatus))
  }, 'the tasks to end')
}

/** An agent that runs as root leaves the secrets folders of its allocations mounted. */
function findMounts(folder: string): string[] {
  if (!existsSync('/proc/self/mounts')) return []
  const lines = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  return lines.flatMap((line) => line.split(' ')[1] ?? []).filter((path) => path.startsWith(folder))
}

async function findPorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
