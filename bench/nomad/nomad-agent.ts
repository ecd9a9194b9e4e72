/** A real Nomad agent of the bench's own, where the binary is there: the peer of what Caravan does. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, constants, mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { type Clock, deadline, sleep } from '../../src/platform/index.ts'
import { endTogether } from '../agent/child.ts'
import { SLICE_CPU_MHZ, SLICE_MEMORY_MIB } from './room.ts'

export interface NomadAgent {
  binary: string
  /** As NOMAD_ADDR has it. */
  address: string
  /** @throws Error when Nomad refuses. */
  readonly call: (
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    body?: unknown,
  ) => Promise<unknown>
  /** Polls until it is true. @throws Error when that takes too long. */
  until(what: string, condition: () => Promise<boolean>): Promise<void>
  /** All jobs have to be gone. */
  close(): Promise<void>
}

const WAIT_MS = 60_000
/** Slices that fit on its node, by what they reserve. */
const PLACES = 20_000
const POLL_MS = 50

/** What NOMAD_BIN names, else the `nomad` on the PATH. */
export async function findNomad(): Promise<string | null> {
  const { NOMAD_BIN, PATH = '' } = process.env
  const places = NOMAD_BIN ? [NOMAD_BIN] : PATH.split(delimiter).map((dir) => join(dir, 'nomad'))
  for (const place of places) {
    const isThere = await access(place, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return place
  }
  return null
}

/** Server and client in one process, on loopback, with everything it writes below `dir`. */
export async function startNomad(binary: string, dir: string, clock: Clock): Promise<NomadAgent> {
  const data = join(dir, 'nomad')
  await mkdir(data)
  const [http = 0, rpc = 0, serf = 0] = await findPorts(3)
  const file = join(dir, 'nomad.json')
  await writeFile(file, JSON.stringify(toConfiguration(data, { http, rpc, serf })))
  const child = spawn(binary, ['agent', '-config', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  endTogether(child)
  const log: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => log.push(text.toString()))
  }
  const address = `http://127.0.0.1:${http}`
  const agent: NomadAgent = {
    binary,
    address,
    call: async (method, path, body) => await request(`${address}${path}`, method, body),
    async until(what, condition) {
      const limit = deadline(clock, WAIT_MS)
      try {
        while (!(await condition())) {
          if (child.exitCode !== null || limit.signal.aborted) {
            throw new Error(`nomad: ${what}: not so\n${log.slice(-20).join('')}`)
          }
          await sleep(clock, POLL_MS)
        }
      } finally {
        limit.cancel()
      }
    },
    close: async () => await stop(agent, child, data),
  }
  try {
    await agent.until('its node is ready', async () => await isReady(agent))
  } catch (cause) {
    await kill(child)
    throw cause
  }
  return agent
}

async function isReady({ call }: NomadAgent): Promise<boolean> {
  try {
    const nodes = (await call('GET', '/v1/nodes')) as { Status: string }[]
    return nodes.some((node) => node.Status === 'ready')
  } catch {
    // It does not listen yet, or has no leader yet.
    return false
  }
}

async function request(url: string, method: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(WAIT_MS),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`nomad answered ${response.status}: ${text}`)
  return text === '' ? null : (JSON.parse(text) as unknown)
}

/** The folders of allocations hold mounts, which only Nomad takes away. */
async function stop(agent: NomadAgent, child: ChildProcess, data: string): Promise<void> {
  try {
    await agent.until('its allocations are gone', async () => {
      await agent.call('PUT', '/v1/system/gc')
      return (await readdir(join(data, 'alloc'))).length === 0
    })
  } finally {
    await kill(child)
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}

function toConfiguration(data_dir: string, ports: Record<'http' | 'rpc' | 'serf', number>) {
  const host = '127.0.0.1'
  const clouds = 'env_aws,env_gce,env_azure,env_digitalocean'
  return {
    data_dir,
    bind_addr: host,
    // Loopback is refused as a guess, and taken when it is said.
    advertise: { http: host, rpc: host, serf: host },
    ports,
    disable_update_check: true,
    log_level: 'WARN',
    server: { enabled: true, bootstrap_expect: 1 },
    client: {
      enabled: true,
      options: { 'fingerprint.denylist': clouds },
      node_class: 'linux-64bit',
      // Far more than there is: what room jobs reserve is not what is measured.
      cpu_total_compute: PLACES * SLICE_CPU_MHZ,
      memory_total_mb: PLACES * SLICE_MEMORY_MIB,
    },
    plugin: [{ raw_exec: [{ config: [{ enabled: true }] }] }],
  }
}

/** All at once, so that they differ. Somebody else may take one before Nomad does: then it says so. */
async function findPorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
