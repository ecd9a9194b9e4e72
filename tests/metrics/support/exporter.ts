/** A real statsd_exporter, as its own process. */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

export interface Exporter {
  /** The UDP port. */
  port: number
  /** What Prometheus would read now: values by series, as the page writes them. */
  read(): Promise<Map<string, number>>
  /** The page itself. */
  page(): Promise<string>
}

const SHIPPED = fileURLToPath(
  new URL('../../../dashboards/prometheus/statsd-exporter.yaml', import.meta.url),
)
/** It starts within a tenth of a second on a machine that does nothing else. */
const START_MAX_MS = 30_000

/** STATSD_EXPORTER_BIN, else `statsd_exporter` on the PATH. */
export function findExporter(): string | null {
  const named = process.env['STATSD_EXPORTER_BIN']
  if (named) return named
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const files = folders.map((folder) => join(folder, 'statsd_exporter'))
  return files.find((file) => existsSync(file)) ?? null
}

/** @param change makes of the shipped mapping the one that is used. */
export async function startExporter(
  t: Test,
  program: string,
  change = (mapping: string) => mapping,
): Promise<Exporter> {
  const mapping = join(t.testdir({}), 'mapping.yaml')
  writeFileSync(mapping, change(readFileSync(SHIPPED, 'utf8')))
  const [port, web] = [await freeUdpPort(), await freeTcpPort()]
  const child = spawn(
    program,
    [
      `--statsd.mapping-config=${mapping}`,
      `--statsd.listen-udp=127.0.0.1:${port}`,
      '--statsd.listen-tcp=',
      `--web.listen-address=127.0.0.1:${web}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const page = async () => (await fetch(`http://127.0.0.1:${web}/metrics`)).text()
  const endMs = performance.now() + START_MAX_MS
  // The page is served after the socket is there.
  while (!(await page().then(Boolean, () => false))) {
    if (child.exitCode !== null || performance.now() > endMs) {
      throw new Error(`statsd_exporter did not start: ${stderr}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { port, page, read: async () => toSeries(await page()) }
}

function toSeries(page: string): Map<string, number> {
  const lines = page.split('\n').filter((line) => /^(?:circle|nomad)_/.test(line))
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}

/** The program can not say which port it took: one that was free a moment ago has to do. */
async function freeTcpPort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  await once(socket.bind(0, '127.0.0.1'), 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}
