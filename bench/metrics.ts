/** What it costs to know: a poll of a large cluster, and the reporter on one node. */
import { randomUUID } from 'node:crypto'
import { toOffsetMs } from '../src/metrics/ticks.ts'
import type { Bench, BenchContext } from './harness/bench.ts'
import { measureClient } from './metrics/client.ts'
import { CLUSTER } from './metrics/cluster.ts'
import { startNomad, startReader, type Reader } from './metrics/processes.ts'
import type { Reading } from './metrics/reader.ts'

const RATIO_MAX = 1.3
const RSS_MB_MAX = 150
const CLIENT_CPU_MS_MAX = 20
const CLIENT_RSS_MB_MAX = 60
const ROUNDS = 10
const WARMUPS = 2
const CLIENT_POLLS = 20
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
      const cluster = await measureCluster(nomad.url, nomad.bytes, context)
      const client = await measureClient(nomad.url, CLIENT_POLLS, context.clock)
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
        ms: cluster.ms,
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

async function measureCluster(url: string, bytes: number, { interleave, note }: BenchContext) {
  note(`${CLUSTER.jobs} jobs and ${CLUSTER.nodes} nodes, ${(bytes / 1e6).toFixed(0)} MB of JSON`)
  const [own, bare] = [await startReader(url, 'poll'), await startReader(url, 'bare')]
  const last: Record<string, Reading> = {}
  const timed = (name: string, reader: Reader) => async () => {
    const reading = await reader.read()
    if (reading.jobs !== CLUSTER.jobs || reading.nodes !== CLUSTER.nodes) {
      throw new Error(`${name} saw ${reading.jobs} jobs and ${reading.nodes} nodes`)
    }
    last[name] = reading
    return reading.cpuMs
  }
  try {
    const { poll, peer } = await interleave(
      { poll: timed('poll', own), peer: timed('peer', bare) },
      { rounds: ROUNDS, warmups: WARMUPS, unit: 'ms of CPU' },
    )
    return {
      ratio: poll.ratioTo(peer),
      cpuMs: poll.median,
      ms: last['poll']?.ms ?? Number.NaN,
      rssMb: last['poll']?.peakRssMb ?? Number.NaN,
      peerRssMb: last['peer']?.peakRssMb ?? Number.NaN,
    }
  } finally {
    await own.close()
    await bare.close()
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
