/**
 * What a step prints, through mask, spool, upload and store: against `cat` of the same bytes to a file,
 * which is the limit, and against Nomad's own way, where there is a `nomad` binary.
 */
import { join } from 'node:path'
import type { AgentRun } from './agent/agent.ts'
import { createMarker } from './agent/marker.ts'
import type { Bench, BenchContext } from './harness/bench.ts'
import { Samples } from './harness/samples.ts'
import { findNomad, startNomad } from './nomad/nomad-agent.ts'
import { PIECE_BYTES } from './output/piece.ts'
import { prepareWays, type Ways } from './output/ways.ts'

const MB_PER_S_MIN = 100
/** In place of `MB_PER_S_MIN` on a machine that is too slow for it. */
const TIMES_NOMAD_MIN = 5
const RSS_MB_MAX = 120
/** Memory that is flat does not know how much is printed. */
const GROWTH_MAX = 1.2
/** One may be an odd minute of the machine, three have a median; each writes 3 GiB to disk. */
const ROUNDS = 3
/** 1 GiB, 64 MiB, and as much as Nomad takes in a few seconds. */
const PIECES = { large: 16, small: 1, nomad: 4 }

export const output: Bench = {
  name: 'output',
  against: '`cat` of the same GiB to a file, and `nomad alloc logs -f` where it is there',
  reach:
    `at least ${MB_PER_S_MIN} MB/s or ${TIMES_NOMAD_MIN} times Nomad; ` +
    `the agent at most ${RSS_MB_MAX} MB, however much is printed`,
  async run(context) {
    const marker = await createMarker(join(context.dir, 'marker'))
    try {
      const ways = await prepareWays(context.dir, marker, context.clock)
      const { ratioToCat, mbPerS, large, small } = await measure(context, ways)
      const ratioToNomad = await measureNomad(context, ways)
      const rss_mb = large['peak RSS MB']
      const rss_growth = rss_mb / small['peak RSS MB']
      const figures = {
        ratio_to: ratioToNomad === null ? 'cat to a file' : 'nomad alloc logs -f',
        ratio_to_cat: ratioToCat,
        mb_per_s: mbPerS,
        mb_per_cpu_s: large['MB per CPU s'],
        rss_mb,
        rss_growth,
      }
      const ratio = ratioToNomad ?? ratioToCat
      return { ratio, missed: judge({ ratioToNomad, ...figures }), figures }
    } finally {
      marker.close()
    }
  },
}

async function measure({ interleave, table }: BenchContext, ways: Ways) {
  const large: AgentRun[] = []
  const small: AgentRun[] = []
  const print = async (pieces: number, runs: AgentRun[]): Promise<number> => {
    const run = await ways.throughCaravan(pieces)
    runs.push(run)
    return toRate(pieces, run.report.overMs - run.markedMs)
  }
  const samples = await interleave(
    {
      'cat, 1 GiB': async () => toRate(PIECES.large, await ways.toFile(PIECES.large)),
      'caravan, 1 GiB': async () => await print(PIECES.large, large),
      'caravan, 64 MiB': async () => await print(PIECES.small, small),
    },
    { rounds: ROUNDS, unit: 'MB/s' },
  )
  const rows = { large: summarize(large, PIECES.large), small: summarize(small, PIECES.small) }
  table([
    { 'caravan (medians)': '1 GiB', ...rows.large },
    { 'caravan (medians)': '64 MiB', ...rows.small },
  ])
  const caravan = samples['caravan, 1 GiB']
  return { ratioToCat: caravan.ratioTo(samples['cat, 1 GiB']), mbPerS: caravan.median, ...rows }
}

/** @returns how many times as fast Caravan is, or null where there is no Nomad to be run. */
async function measureNomad(context: BenchContext, ways: Ways): Promise<number | null> {
  const { clock, dir, interleave, note } = context
  const binary = await findNomad()
  if (binary === null) {
    note('no `nomad` on the PATH or in NOMAD_BIN: not measured against it')
    return null
  }
  const nomad = await startNomad(binary, dir, clock)
  try {
    const throughCaravan = async (): Promise<number> => {
      const { report, markedMs } = await ways.throughCaravan(PIECES.nomad)
      return report.overMs - markedMs
    }
    const { caravan, nomad: peer } = await interleave(
      {
        nomad: async () => toRate(PIECES.nomad, await ways.throughNomad(nomad, PIECES.nomad)),
        caravan: async () => toRate(PIECES.nomad, await throughCaravan()),
      },
      { rounds: ROUNDS, unit: 'MB/s, 256 MiB' },
    )
    return caravan.ratioTo(peer)
  } finally {
    await nomad.close()
  }
}

function judge(found: {
  ratioToNomad: number | null
  mb_per_s: number
  rss_mb: number
  rss_growth: number
}): string[] {
  const { ratioToNomad, mb_per_s, rss_mb, rss_growth } = found
  const missed: string[] = []
  const isFast = mb_per_s >= MB_PER_S_MIN || (ratioToNomad ?? 0) >= TIMES_NOMAD_MIN
  if (!isFast) missed.push(`${mb_per_s.toFixed(0)} MB/s`)
  if (rss_mb > RSS_MB_MAX) missed.push(`the agent held ${rss_mb.toFixed(0)} MB`)
  if (rss_growth > GROWTH_MAX) {
    missed.push(`16 times the output took ${rss_growth.toFixed(2)} times the memory`)
  }
  return missed
}

/** Medians. CPU from the first step on: what it takes to start is another bench. */
function summarize(runs: readonly AgentRun[], pieces: number) {
  const median = (of: (run: AgentRun) => number) => new Samples(runs.map(of)).median
  const spent = ({ marked, over }: AgentRun['agent']) => over.cpuSeconds - marked.cpuSeconds
  const bytes = pieces * PIECE_BYTES
  return {
    'agent CPU s': median((run) => spent(run.agent)),
    'server CPU s': median((run) => spent(run.server)),
    'MB per CPU s': median((run) => bytes / 1e6 / (spent(run.agent) + spent(run.server))),
    'peak RSS MB': median((run) => run.agent.over.peakRssMb),
  }
}

/** MB/s, of 1,000,000 bytes. */
function toRate(pieces: number, elapsedMs: number): number {
  return (pieces * PIECE_BYTES) / 1e6 / (elapsedMs / 1000)
}
