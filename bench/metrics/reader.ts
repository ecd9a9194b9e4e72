/**
 * Reads the whole cluster once for every message, and turns it into values that nobody looks at. Started by
 * the bench; its argument is the address of Nomad.
 */
import { readFile } from 'node:fs/promises'
import { Pool } from 'undici'

export interface Reading {
  cpuMs: number
  ms: number
  /** The most that the process ever held. */
  peakRssMb: number
  /** To see that all was read. */
  jobs: number
  nodes: number
}

/** As large as Nomad's users commonly take them. */
const PER_PAGE = 1000

const pool = new Pool(process.argv[2] ?? '', { connections: 1 })

process.on('message', () => void measure())
process.once('disconnect', () => process.exit())
process.send?.('ready')

async function measure(): Promise<void> {
  const before = process.cpuUsage()
  const startMs = performance.now()
  const counts = { jobs: await read('/v1/jobs'), nodes: await read('/v1/nodes') }
  const ms = performance.now() - startMs
  const { user, system } = process.cpuUsage(before)
  const kib = /VmHWM:\s+(\d+)/.exec(await readFile('/proc/self/status', 'utf8'))?.[1]
  const reading: Reading = {
    cpuMs: (user + system) / 1000,
    ms,
    peakRssMb: (Number(kib) * 1024) / 1e6,
    ...counts,
  }
  process.send?.(reading)
}

/** @returns how many items the list has. */
async function read(path: string): Promise<number> {
  let items = 0
  let next: unknown = ''
  do {
    const token = next === '' ? '' : `&next_token=${String(next)}`
    const query = `?per_page=${PER_PAGE}&stale=true${token}`
    const { headers, body } = await pool.request({ path: path + query, method: 'GET' })
    items += (JSON.parse(await body.text()) as unknown[]).length
    next = headers['x-nomad-nexttoken'] ?? ''
  } while (next !== '')
  return items
}
