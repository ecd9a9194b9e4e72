/** What a seed left behind, read from where it is kept: API, engine, rows, folders, process list. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { BuildView } from '../../../src/model/index.ts'
import { toKey } from './content.ts'
import type { Plan } from './plan.ts'
import type { World } from './world.ts'

/** A line of a step's file of effects. */
export interface Effect {
  what: string
  /** `epoch-<n>-<random>`: the attempt. */
  attempt: string
  /** Seconds since 1970. */
  at: number
}

export interface Output {
  text: string
  /** The server says that nothing is missing. */
  isComplete: boolean
}

export interface History {
  builds: BuildView[]
  /** By key of the step. */
  outputs: Map<string, Output>
  effects: Map<string, Effect[]>
  /** Jobs and allocations that Nomad still runs, or would. */
  openJobs: string[]
  liveAllocations: string[]
  /** Slices whose row says that their job may still run. */
  openRows: number
  /** Processes that were started for a slice. */
  processes: string[]
  /** Spools that nobody has delivered. */
  spools: string[]
}

/** What is still under way; nothing when a history can be read. */
export async function readUnrest(world: World, plan: Plan): Promise<Record<string, number>> {
  const { builds } = (await getJson(`${world.api()}/api/v1/builds?limit=200`)) as {
    builds: BuildView[]
  }
  const over = builds.filter(({ state }) => state !== 'queued' && state !== 'running')
  const { openJobs, liveAllocations } = await readCluster(world)
  const counts = {
    builds: plan.builds.length - over.length,
    rows: countOpenRows(world),
    jobs: openJobs.length,
    allocations: liveAllocations.length,
    processes: findProcesses(world).length,
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

export async function readHistory(world: World, plan: Plan, ids: string[]): Promise<History> {
  const builds = (await Promise.all(
    ids.map((id) => getJson(`${world.api()}/api/v1/builds/${id}`)),
  )) as BuildView[]
  const outputs = new Map<string, Output>()
  const effects = new Map<string, Effect[]>()
  for (const [build, { slices }] of plan.builds.entries()) {
    const read = slices.flatMap((steps, slice) =>
      steps.map(async (_, step) => {
        const key = toKey(build, slice, step)
        effects.set(key, readEffects(world, key))
        const output = await readOutput(world, { build: ids[build] ?? '', slice, step })
        if (output !== null) outputs.set(key, output)
      }),
    )
    await Promise.all(read)
  }
  return {
    builds,
    outputs,
    effects,
    ...(await readCluster(world)),
    openRows: countOpenRows(world),
    processes: findProcesses(world),
    spools: findSpools(world),
  }
}

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return await response.json()
}

async function readOutput(
  world: World,
  place: { build: string; slice: number; step: number },
): Promise<Output | null> {
  const path = `/api/v1/builds/${place.build}/slices/${place.slice}/steps/${place.step}/output`
  const response = await fetch(world.api() + path)
  if (response.status === 404) return null
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  const isComplete = response.headers.get('x-caravan-complete') === 'true'
  return { text: await response.text(), isComplete }
}

function readEffects(world: World, key: string): Effect[] {
  const file = join(world.folder, 'effects', key)
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => {
    const [what = '', attempt = '', at] = line.split(' ')
    return { what, attempt, at: Number(at) }
  })
}

async function readCluster({ engine }: World) {
  const jobs = (await getJson(`${engine.url}/v1/jobs?namespace=*`)) as {
    ID: string
    Status: string
  }[]
  const allocations = (await getJson(`${engine.url}/v1/allocations?namespace=*`)) as {
    ID: string
    ClientStatus: string
  }[]
  const isLive = (status: string) => status === 'running' || status === 'pending'
  return {
    openJobs: jobs.filter(({ Status }) => Status !== 'dead').map(({ ID }) => ID),
    liveAllocations: allocations.filter((each) => isLive(each.ClientStatus)).map(({ ID }) => ID),
  }
}

function countOpenRows({ folder }: World): number {
  const rows = new DatabaseSync(join(folder, 'data', 'caravan.db'), { readOnly: true })
  try {
    return rows.prepare('select 1 from slices where job_open = 1').all().length
  } finally {
    rows.close()
  }
}

/** Launchers, agents and steps inherit the engine's mark; engine, server and farms do not have it. */
function findProcesses({ folder, engine }: World): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== engine.pid)
    .flatMap((pid) => {
      try {
        const isOurs = readFileSync(`/proc/${pid}/environ`, 'latin1').includes(
          `SEARCH_DIR=${folder}\0`,
        )
        if (!isOurs) return []
        const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
        // A real Nomad that is killed forgets some of the processes that were to watch its tasks.
        return /nomad (executor|logmon) /.test(command) ? [] : [`${pid} ${command}`]
      } catch {
        // It ended meanwhile.
        return []
      }
    })
}

function findSpools({ allocationsDir: allocations }: World): string[] {
  if (!existsSync(allocations)) return []
  return readdirSync(allocations).flatMap((id) => {
    const root = join(allocations, id, 'alloc', 'caravan', 'spool')
    if (!existsSync(root)) return []
    // An agent that was killed before it began has left a folder without a record, for a later sweep.
    const begun = readdirSync(root).filter((name) => existsSync(join(root, name, 'spool.json')))
    return begun.map((name) => `${id} ${name}`)
  })
}
