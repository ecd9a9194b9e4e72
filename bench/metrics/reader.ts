/**
 * Reads the whole cluster once for every message, as nomad-metrics does or barely. Started by the bench;
 * its arguments are the address of Nomad, and which of the two.
 */
import { readFile } from 'node:fs/promises'
import { Pool } from 'undici'
import { pollFleet, pollServer } from '../../src/metrics/polls.ts'
import { createNomadReadings } from '../../src/nomad/index.ts'
import { silentLog, systemClock, systemRandom } from '../../src/platform/index.ts'

export type Way = 'poll' | 'bare'

export interface Reading {
  cpuMs: number
  ms: number
  /** The most that the process ever held. */
  peakRssMb: number
  /** To see that all was read. */
  jobs: number
  nodes: number
}

const [, , address = '', way] = process.argv
const read = way === 'bare' ? createBare(address) : createPoll(address)

process.on('message', () => void measure())
process.once('disconnect', () => process.exit())
process.send?.('ready')

async function measure(): Promise<void> {
  const before = process.cpuUsage()
  const startMs = performance.now()
  const counts = await read()
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

function createPoll(nomadAddress: string): () => Promise<Pick<Reading, 'jobs' | 'nodes'>> {
  const nomad = createNomadReadings({
    address: nomadAddress,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  const onUnknown = (what: string) => {
    throw new Error(what)
  }
  return async () => {
    const context = { nomad, signal: new AbortController().signal, onUnknown }
    const options = { namespace: null, states: 'derived', excludeParents: false } as const
    const [jobs, nodes] = [await pollServer(context, options), await pollFleet(context)]
    const sum = (gauges: typeof jobs) => gauges.reduce((total, { value }) => total + value, 0)
    return { jobs: sum(jobs), nodes: sum(nodes) }
  }
}

/** The same bytes, turned into values that nobody looks at. */
function createBare(nomadAddress: string): () => Promise<Pick<Reading, 'jobs' | 'nodes'>> {
  const pool = new Pool(nomadAddress, { connections: 1 })
  const count = async (path: string) => {
    let items = 0
    let next: unknown = ''
    do {
      const token = next === '' ? '' : `&next_token=${String(next)}`
      const query = `?per_page=1000&stale=true&resources=true${token}`
      const { headers, body } = await pool.request({ path: path + query, method: 'GET' })
      items += (JSON.parse(await body.text()) as unknown[]).length
      next = headers['x-nomad-nexttoken'] ?? ''
    } while (next !== '')
    return items
  }
  return async () => ({ jobs: await count('/v1/jobs'), nodes: await count('/v1/nodes') })
}
