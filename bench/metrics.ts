/** What it costs to know: a poll of a large cluster, and the reporter on one node. */
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { toOffsetMs } from '../src/metrics/ticks.ts'
import type { Bench, BenchContext } from './harness/bench.ts'
import { installCaravan } from '../scripts/package.ts'
import { CLUSTER } from './metrics/cluster.ts'
import { startNomad, startReader } from './metrics/processes.ts'
import { Program } from './metrics/program.ts'
import type { Reading } from './metrics/reader.ts'

const RATIO_MAX = 1.3
const RSS_MB_MAX = 150
const CLIENT_CPU_MS_MAX = 20
const CLIENT_RSS_MB_MAX = 60
const ROUNDS = 10
const WARMUPS = 2
/** Time for a poll on a busy machine, and for the peer while the program rests. */
const CLUSTER_INTERVAL_S = 5
const CLIENT_POLLS = 20
/** Those of the start, when everything is compiled. */
const CLIENT_WARMUPS = 5
const INTERVAL_MS = 10_000
const BUCKET_MS = 100
/** Of the mean, in the fullest tenth of a second. */
const CROWD_MAX = 2

export const metrics: Bench = {
  name: 'metrics',
  against: 'undici and JSON.parse on the same bytes',
  reach:
    `at most ${RATIO_MAX} times the CPU and ${RSS_MB_MAX} MB for ${CLUSTER.jobs} jobs and ` +
    `${CLUSTER.nodes} nodes; a client at most ${CLIENT_CPU_MS_MAX} ms, ${CLIENT_RSS_MB_MAX} MB, 1 datagram`,
  async run(context) {
    const nomad = await startNomad()
    try {
      const bin = join(dirname(await installCaravan(context.dir)), 'nomad-metrics.mjs')
      const cluster = await measureCluster({ ...nomad, bin }, context)
      const client = await measureClient({ ...nomad, bin }, context)
      context.table([{ 'client, a poll of one node': 'nomad-metrics', ...client }])
      const crowd = measureCrowd()
      context.note(
        `${CLUSTER.nodes} clients: ${crowd.toFixed(2)} times the mean in the fullest 0.1 s`,
      )
      const missed: string[] = []
      const atMost = (value: number, max: number, what: string) => {
        if (value > max) missed.push(`${what}: ${value.toPrecision(3)} where ${max} is the limit`)
      }
      atMost(cluster.ratio, RATIO_MAX, 'CPU of a poll, to the peer')
      atMost(cluster.rssMb, RSS_MB_MAX, 'memory of a poll, MB')
      atMost(client.cpuMsPerPoll, CLIENT_CPU_MS_MAX, 'CPU of a client, ms')
      atMost(client.peakRssMb, CLIENT_RSS_MB_MAX, 'memory of a client, MB')
      atMost(client.datagramsPerPoll, 1, 'datagrams of a client')
      atMost(crowd, CROWD_MAX, 'clients in one tenth of a second, to the mean')
      const figures = {
        cpu_ms: cluster.cpuMs,
        rss_mb: cluster.rssMb,
        peer_rss_mb: cluster.peerRssMb,
        client_cpu_ms: client.cpuMsPerPoll,
        client_rss_mb: client.peakRssMb,
        client_datagrams: client.datagramsPerPoll,
        crowd,
      }
      return { ratio: cluster.ratio, missed, figures }
    } finally {
      await nomad.close()
    }
  },
}

interface Installed {
  bin: string
  url: string
  /** Of both lists. */
  bytes: number
}

async function measureCluster({ bin, url, bytes }: Installed, context: BenchContext) {
  const { interleave, note, clock } = context
  note(`${CLUSTER.jobs} jobs and ${CLUSTER.nodes} nodes, ${(bytes / 1e6).toFixed(0)} MB of JSON`)
  const bare = await startReader(url)
  const program = await Program.start({
    bin,
    nomad: url,
    modes: ['server', 'fleet'],
    intervalS: CLUSTER_INTERVAL_S,
    clock,
  })
  let rssMb = Number.NaN
  let peerRssMb = Number.NaN
  try {
    const { poll, peer } = await interleave(
      {
        async poll() {
          const { cpuMs, peakRssMb } = await program.next(1)
          const jobs = program.count('circle.nomad.server_agent.jobs')
          const nodes = program.count('circle.fleet.nodes')
          checkAll('nomad-metrics', { jobs, nodes })
          rssMb = peakRssMb
          return cpuMs
        },
        async peer() {
          const reading = await bare.read()
          checkAll('the peer', reading)
          peerRssMb = reading.peakRssMb
          return reading.cpuMs
        },
      },
      { rounds: ROUNDS, warmups: WARMUPS, unit: 'ms of CPU' },
    )
    return { ratio: poll.ratioTo(peer), cpuMs: poll.median, rssMb, peerRssMb }
  } finally {
    await program.close()
    await bare.close()
  }
}

function checkAll(who: string, { jobs, nodes }: Pick<Reading, 'jobs' | 'nodes'>): void {
  if (jobs === CLUSTER.jobs && nodes === CLUSTER.nodes) return
  throw new Error(`${who} saw ${jobs} jobs and ${nodes} nodes`)
}

async function measureClient({ bin, url }: Installed, { clock }: BenchContext) {
  const modes = ['client'] as const
  const program = await Program.start({ bin, nomad: url, modes, intervalS: 1, clock })
  try {
    await program.next(CLIENT_WARMUPS)
    const { cpuMs, datagrams, bytes, peakRssMb } = await program.next(CLIENT_POLLS)
    return {
      cpuMsPerPoll: cpuMs / CLIENT_POLLS,
      peakRssMb,
      datagramsPerPoll: datagrams / CLIENT_POLLS,
      bytesPerPoll: bytes / CLIENT_POLLS,
    }
  } finally {
    await program.close()
  }
}

/** Nodes have ids of chance; how many polls come in the fullest tenth of a second. */
function measureCrowd(): number {
  const buckets = new Map<number, number>()
  for (let node = 0; node < CLUSTER.nodes; node++) {
    const bucket = Math.floor(toOffsetMs(randomUUID(), INTERVAL_MS) / BUCKET_MS)
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1)
  }
  const mean = CLUSTER.nodes / (INTERVAL_MS / BUCKET_MS)
  return Math.max(...buckets.values()) / mean
}
