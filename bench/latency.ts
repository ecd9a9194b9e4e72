/** From submitting a command to its first byte at whoever follows it, against Nomad alone. */
import { join } from 'node:path'
import { startCaravan } from './agent/caravan.ts'
import type { Bench, BenchContext } from './harness/bench.ts'
import { Samples } from './harness/samples.ts'
import { throughCaravan, throughCli, throughNomad } from './latency/ways.ts'
import { startEngine } from './nomad/engine-process.ts'
import { findNomad, startNomad } from './nomad/nomad-agent.ts'

const RATIO_MAX = 1.2
const ROUNDS = 15
const WARMUPS = 2
const PLACES = 128

export const latency: Bench = {
  name: 'latency',
  against: '`nomad job run` of the same command to its first log byte, on the same server',
  reach: `at most ${RATIO_MAX} times as long`,
  async run(context) {
    const { dir, clock, note } = context
    const binary = await findNomad()
    const engine = await startEngine(join(dir, 'engine'), { places: PLACES, driver: 'raw_exec' })
    const onEngine = await measure(context, { name: 'engine', address: engine.address, binary })
    await engine.close()
    if (binary === null) {
      note('no `nomad` on the PATH or in NOMAD_BIN: against the API of the engine alone')
      return toResult({ engine: onEngine })
    }
    const nomad = await startNomad(binary, dir, clock)
    try {
      const server = { name: 'nomad', address: nomad.address, binary }
      return toResult({ engine: onEngine, nomad: await measure(context, server) })
    } finally {
      await nomad.close()
    }
  },
}

interface Server {
  name: string
  address: string
  /** Of Nomad's CLI. */
  binary: string | null
}

async function measure({ dir, interleave }: BenchContext, { name, address, binary }: Server) {
  const dataDir = join(dir, `caravan-${name}`)
  const caravan = await startCaravan({ nomad: address, dataDir, port: 0 })
  const ways = {
    caravan: throughCaravan(caravan.address),
    api: throughNomad(address),
    ...(binary === null ? {} : { cli: throughCli(binary, address, dir) }),
  }
  try {
    const contenders = Object.entries(ways).map(
      ([way, each]) => [`${name}: ${way}`, () => each.run()] as const,
    )
    const options = { rounds: ROUNDS, warmups: WARMUPS, unit: 'ms' }
    const samples = await interleave(Object.fromEntries(contenders), options)
    const of = (way: string): Samples => samples[`${name}: ${way}`] ?? new Samples([Number.NaN])
    return {
      ratio: of('caravan').ratioTo(of(binary === null ? 'api' : 'cli')),
      figures: {
        ms: of('caravan').median,
        p99_ms: of('caravan').p99,
        api_ms: of('api').median,
        beyond_api_ms: of('caravan').with(of('api'), (own, other) => own - other).median,
        ...(binary === null ? {} : { cli_ms: of('cli').median }),
      },
    }
  } finally {
    await Promise.all(Object.values(ways).map((way) => way.close()))
    await caravan.close()
  }
}

function toResult(servers: Record<string, Awaited<ReturnType<typeof measure>>>) {
  const missed: string[] = []
  const figures: Record<string, number> = {}
  for (const [name, { ratio, figures: own }] of Object.entries(servers)) {
    figures[`${name}_ratio`] = ratio
    for (const [what, value] of Object.entries(own)) figures[`${name}_${what}`] = value
    if (!(ratio <= RATIO_MAX)) missed.push(`${name}: ${ratio.toFixed(2)} times as long`)
  }
  return { ratio: Math.max(...Object.values(servers).map(({ ratio }) => ratio)), missed, figures }
}
