/** How long after kill -9 a server has all of its slices in view again. */
import { join } from 'node:path'
import { createApiClient, type ApiClient } from '../src/cli/api/client.ts'
import type { SliceView } from '../src/model/index.ts'
import { type Clock, sleep } from '../src/platform/index.ts'
import { startCaravan, type CaravanServer } from './agent/caravan.ts'
import { machineMs } from './agent/machine.ts'
import type { Bench } from './harness/bench.ts'
import { type EngineProcess, startEngine } from './nomad/engine-process.ts'
import { startAgents } from './recover/agents.ts'

const MS_MAX = 2000
const BUILDS = 10
/** As many as a build may have. */
const SLICES = 1000
const ALL = BUILDS * SLICES
const ROUNDS = 5
const POLL_MS = 250

export const recover: Bench = {
  name: 'recover',
  against: 'nothing: there is no peer',
  reach: `all of ${ALL} running slices tracked again within ${MS_MAX} ms of kill -9, nothing lost`,
  async run({ dir, clock, interleave, note }) {
    const engine = await startEngine(join(dir, 'engine'), { places: ALL, driver: 'simulated' })
    const options = { nomad: engine.address, dataDir: join(dir, 'caravan') }
    let caravan = await startCaravan({ ...options, port: 0 })
    const { address } = caravan
    const port = Number(new URL(address).port)
    const api = createApiClient({ server: address, clock })
    const readyMs: number[] = []
    try {
      const startedMs = machineMs()
      const builds = await submitAll(api, clock)
      note(`${ALL} slices placed after ${((machineMs() - startedMs) / 1000).toFixed(1)} s`)
      const agents = await startAgents(engine.address, address)
      note(`${agents.size} agents speak after ${((machineMs() - startedMs) / 1000).toFixed(1)} s`)
      const { recovered } = await interleave(
        {
          recovered: async () => {
            const round = await restart(caravan, engine, () => startCaravan({ ...options, port }))
            ;({ caravan } = round)
            readyMs.push(round.readyMs)
            await agents.speak()
            await checkAll(api, builds)
            return round.trackedMs
          },
        },
        { rounds: ROUNDS, unit: 'ms' },
      )
      note(`of that, until the API answers: ${readyMs.map((ms) => ms.toFixed(0)).join(', ')} ms`)
      const missed = recovered.median <= MS_MAX ? [] : [`${recovered.median.toFixed(0)} ms`]
      const figures = { ms: recovered.median, max_ms: recovered.max, slices: ALL }
      return { ratio: null, missed, figures }
    } finally {
      await api.close()
      await caravan.close()
      await engine.close()
    }
  },
}

async function submitAll(api: ApiClient, clock: Clock): Promise<string[]> {
  const steps = [{ run: 'sleep 86400' }]
  const config = JSON.stringify({ version: 2, jobs: { test: { machine: true, steps } } })
  const request = { config, org: 'acme', repo: 'site', branch: 'main', parallelism: SLICES }
  const builds: string[] = []
  for (let count = 0; count < BUILDS; count++) builds.push((await api.createBuild(request)).id)
  for (const build of builds) {
    while ((await countIn(api, build, isPlaced)) < SLICES) await sleep(clock, POLL_MS)
  }
  return builds
}

interface Restart {
  caravan: CaravanServer
  /** From the kill. */
  readyMs: number
  trackedMs: number
}

/** From the kill until the API answers and Nomad has told the state of every job. */
async function restart(
  before: CaravanServer,
  engine: EngineProcess,
  start: () => Promise<CaravanServer>,
): Promise<Restart> {
  await before.kill()
  const startedMs = machineMs()
  const tracked = engine.told(ALL)
  const caravan = await start()
  const readyMs = machineMs() - startedMs
  await tracked
  return { caravan, readyMs, trackedMs: machineMs() - startedMs }
}

/** @throws Error when a slice is not running any more. */
async function checkAll(api: ApiClient, builds: readonly string[]): Promise<void> {
  for (const build of builds) {
    const running = await countIn(api, build, ({ state }) => state === 'running')
    if (running !== SLICES) throw new Error(`${SLICES - running} slices of ${build} are lost`)
  }
}

const isPlaced: Test = ({ allocation_id: id }) => id !== null

type Test = (slice: SliceView) => boolean

async function countIn(api: ApiClient, build: string, test: Test): Promise<number> {
  return (await api.readBuild(build)).slices.filter(test).length
}
