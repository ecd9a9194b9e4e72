/** Carries out the strikes of a plan, and makes everything well again. */
import { nodeName, type World } from './world.ts'
import type { Fault, Strike } from './plan.ts'
import { OWN_PROCESS_SLICE } from './plan.ts'

export interface StormContext {
  world: World
  /** Ids of the builds, in the order of the plan. */
  builds: string[]
  note: (line: string) => void
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))

/** Settles when every process runs and every line is open again. */
export async function rage(context: StormContext, strikes: readonly Strike[]): Promise<void> {
  const { note } = context
  const beganMs = performance.now()
  await Promise.all(
    strikes.map(async (strike) => {
      await wait(strike.atMs - (performance.now() - beganMs))
      note(`+${Math.round(performance.now() - beganMs)} ms ${JSON.stringify(strike)}`)
      try {
        await hit(context, strike)
      } catch (cause) {
        // What it was to hit is down already.
        note(`  ${strike.kind} missed: ${String(cause)}`)
      }
    }),
  )
  await heal(context.world)
  note(`+${Math.round(performance.now() - beganMs)} ms healed`)
}

async function heal(world: World): Promise<void> {
  await world.engine.faults.thaw()
  await ensureEngine(world)
  await Promise.all([world.server.start(), ...world.farms.map((farm) => farm.start())])
  await Promise.all([world.engineLink, ...world.agentLinks].map((link) => link.heal()))
  await world.engine.faults.clear()
  for (const { Name } of await listNodes(world)) {
    await world.engine.faults.restoreNode(Name)
    await drain(world, Name, null)
  }
}

async function hit({ world, builds }: StormContext, fault: Fault): Promise<void> {
  const { engine, engineLink } = world
  switch (fault.kind) {
    case 'kill_server':
      await world.server.kill()
      await wait(fault.downMs)
      return await world.server.start()
    case 'kill_engine':
      downEngines.add(engine)
      await engine.kill()
      await wait(fault.downMs)
      return await ensureEngine(world)
    case 'kill_farm': {
      const farm = world.farms[fault.node]
      await farm?.kill()
      await wait(fault.downMs)
      return await farm?.start()
    }
    case 'kill_agents':
      return void (await engine.faults.killTasks({ jobs: `^[0-9a-f]+-${OWN_PROCESS_SLICE}-` }))
    case 'freeze_engine':
      await engine.faults.freeze()
      await wait(fault.forMs)
      return await engine.faults.thaw()
    case 'cut_engine':
      return engineLink.cut()
    case 'cut_streams':
      return await engine.faults.cutStreams()
    case 'slow_engine':
      engineLink.delay(fault.delayMs)
      await wait(fault.forMs)
      return engineLink.delay(0)
    case 'lose_engine_answers':
      return await engine.faults.onCalls(fault, { do: 'lose_answer' })
    case 'fail_engine_calls':
      return await engine.faults.onCalls(fault, { do: 'fail', status: 500, ...fault })
    case 'blackhole_engine':
      engineLink.blackhole()
      await wait(fault.forMs)
      return await engineLink.heal()
    case 'refuse_engine':
      await engineLink.refuse()
      await wait(fault.forMs)
      return await engineLink.heal()
    case 'lose_node':
      await engine.faults.loseNode(nodeName(fault.node))
      await wait(fault.forMs)
      return await engine.faults.restoreNode(nodeName(fault.node))
    case 'drain_node':
      await drain(world, nodeName(fault.node), DRAIN_DEADLINE_NS)
      await wait(fault.forMs)
      return await drain(world, nodeName(fault.node), null)
    case 'cancel_build':
      return await call('POST', `${world.api()}/api/v1/builds/${builds[fault.build]}/cancel`)
    case 'stop_job':
      return await stopJob(world, `${builds[fault.build]}-${fault.slice}-`)
    default:
      return await hitAgents(world, fault)
  }
}

type AgentFault = Extract<
  Fault,
  | { kind: 'cut_agents' }
  | { kind: 'lose_agent_answer' }
  | { kind: 'refuse_agents' | 'blackhole_agents' }
>

async function hitAgents(world: World, fault: AgentFault): Promise<void> {
  const link = world.agentLinks[fault.node]
  if (link === undefined) throw new Error(`no node ${fault.node}`)
  if (fault.kind === 'cut_agents') return link.cut()
  if (fault.kind === 'lose_agent_answer') {
    void link.loseAnswer({ to: `${fault.call} HTTP/1.1` })
    return
  }
  if (fault.kind === 'refuse_agents') await link.refuse()
  else link.blackhole()
  await wait(fault.forMs)
  await link.heal()
}

/** Engines that were killed and not started again. */
const downEngines = new WeakSet<World['engine']>()

async function ensureEngine({ engine }: World): Promise<void> {
  if (!downEngines.delete(engine)) return
  await engine.restart()
}

/** Short enough that allocations are stopped within the storm. */
const DRAIN_DEADLINE_NS = 200_000_000

async function drain(world: World, name: string, Deadline: number | null): Promise<void> {
  const node = (await listNodes(world)).find(({ Name }) => Name === name)
  if (node === undefined) throw new Error(`no node ${name}`)
  const DrainSpec = Deadline === null ? null : { Deadline, IgnoreSystemJobs: false }
  await call('PUT', `${world.engine.url}/v1/node/${node.ID}/drain`, {
    DrainSpec,
    MarkEligible: true,
  })
}

async function listNodes({ engine }: World): Promise<{ ID: string; Name: string }[]> {
  return (await (await fetch(`${engine.url}/v1/nodes`)).json()) as { ID: string; Name: string }[]
}

/** The latest epoch of a slice is the one that an operator would see running. */
async function stopJob({ engine }: World, prefix: string): Promise<void> {
  const found = await (await fetch(`${engine.url}/v1/jobs?prefix=${prefix}`)).json()
  const job = (found as { ID: string }[]).at(-1)
  if (job !== undefined) await call('DELETE', `${engine.url}/v1/job/${job.ID}`)
}

async function call(method: string, url: string, body: unknown = {}): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
}
