/** From the accepted build to its registered jobs, against a loop that does nothing but register. */
import { join } from 'node:path'
import type { Bench, BenchContext } from './harness/bench.ts'
import { Samples } from './harness/samples.ts'
import { startEngine } from './nomad/engine-process.ts'
import { findNomad, startNomad } from './nomad/nomad-agent.ts'
import { registerBare, registerByCli } from './submit/register.ts'
import { startScheduler } from './submit/scheduler-process.ts'

const RATIO_MIN = 0.9
/** As many as a build may have. */
const SLICES = 1000
/** Each starts a program. */
const CLI_JOBS = 72
const ROUNDS = 25
/** Until what every slice passes through is compiled: a server runs for weeks. */
const WARMUPS = 3
/** What the scheduler may have under way. */
const CONCURRENCY = 24
/** Jobs stay until the end of the bench, and none of them is placed. */
const PLACES = 100_000

export const submit: Bench = {
  name: 'submit',
  against: 'a bare loop of undici that registers the same jobs, on the same server',
  reach: `slices a second at least ${RATIO_MIN} of the loop's`,
  async run(context) {
    const { dir, clock, note } = context
    const binary = await findNomad()
    const engine = await startEngine(join(dir, 'engine'), { places: PLACES, driver: 'simulated' })
    const onEngine = await measure(context, { name: 'engine', address: engine.address, binary })
    await engine.close()
    if (binary === null) {
      note('no `nomad` on the PATH or in NOMAD_BIN: the engine alone is measured')
      return toResult({ engine: onEngine })
    }
    const nomad = await startNomad(binary, dir, clock)
    try {
      const onNomad = await measure(context, { name: 'nomad', address: nomad.address, binary })
      return toResult({ engine: onEngine, nomad: onNomad })
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
  await pause(address)
  const scheduler = await startScheduler(address, join(dir, `scheduler-${name}`))
  try {
    const { job } = await scheduler.submit(1)
    const common = { address, job, concurrency: CONCURRENCY }
    const cpuMs: number[] = []
    const samples = await interleave(
      {
        [`${name}: undici`]: () => registerBare({ ...common, jobs: SLICES }),
        [`${name}: caravan`]: async () => {
          const registered = await scheduler.submit(SLICES)
          cpuMs.push(registered.cpuMs / SLICES)
          return SLICES / (registered.elapsedMs / 1000)
        },
        ...(binary === null
          ? {}
          : {
              [`${name}: nomad job run`]: () =>
                registerByCli({ ...common, jobs: CLI_JOBS, binary, dir }),
            }),
      },
      { rounds: ROUNDS, warmups: WARMUPS, unit: 'slices/s' },
    )
    const of = (what: string): Samples => samples[`${name}: ${what}`] ?? new Samples([Number.NaN])
    return {
      ratio: of('caravan').ratioTo(of('undici')),
      figures: {
        slices_per_s: of('caravan').median,
        undici_per_s: of('undici').median,
        cpu_ms_per_slice: new Samples(cpuMs.slice(WARMUPS)).median,
        ...(binary === null ? {} : { cli_per_s: of('nomad job run').median }),
      },
    }
  } finally {
    await scheduler.close()
  }
}

/** Jobs are taken, and nothing is made of them: placing is Nomad's own work. */
async function pause(address: string): Promise<void> {
  const response = await fetch(`${address}/v1/operator/scheduler/configuration`, {
    method: 'PUT',
    body: JSON.stringify({ SchedulerAlgorithm: 'binpack', PauseEvalBroker: true }),
  })
  if (!response.ok) throw new Error(`the broker can not be paused: ${await response.text()}`)
}

function toResult(servers: Record<string, Awaited<ReturnType<typeof measure>>>) {
  const missed: string[] = []
  const figures: Record<string, number> = {}
  for (const [name, { ratio, figures: own }] of Object.entries(servers)) {
    figures[`${name}_ratio`] = ratio
    for (const [what, value] of Object.entries(own)) figures[`${name}_${what}`] = value
    if (!(ratio >= RATIO_MIN)) missed.push(`${name}: ${ratio.toFixed(2)} of the bare loop's rate`)
  }
  return { ratio: Math.min(...Object.values(servers).map(({ ratio }) => ratio)), missed, figures }
}
