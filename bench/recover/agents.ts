/** Agents that only talk: each holds a slice as a running one does, and starts no process. */
import { Pool } from 'undici'
import { parseNomadJobId, PROTOCOL_VERSION, toSliceKey } from '../../src/model/index.ts'
import { createNomadClient } from '../../src/nomad/index.ts'
import { silentLog, systemClock, systemRandom } from '../../src/platform/index.ts'
import { eachOf } from '../store/life.ts'

export interface Agents {
  readonly size: number
  /** Each says something more. @throws Error when the server does not know one of them as it was. */
  speak(): Promise<void>
}

interface Agent {
  /** Of its slice and epoch. */
  path: string
  session: string
  said: number
}

const CONCURRENCY = 32

/** Claims all slices that Nomad has placed, and starts their first step. */
export async function startAgents(nomadAddress: string, server: string): Promise<Agents> {
  const nomad = createNomadClient({
    address: nomadAddress,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  const agents: Agent[] = []
  try {
    const allocations: { ID: string; JobID: string }[] = []
    for await (const page of nomad.listAllocations({})) allocations.push(...page.items)
    await withPool(server, async (call) => {
      await eachOf(allocations, CONCURRENCY, async ({ ID, JobID }) => {
        const job = await nomad.readJob(JobID)
        const token = job?.TaskGroups[0]?.Tasks[0]?.Env?.['CARAVAN_CLAIM_TOKEN'] ?? ''
        agents.push(await claim(call, JobID, { token, allocation: ID }))
      })
    })
  } finally {
    await nomad.close()
  }
  return {
    size: agents.length,
    speak: () =>
      withPool(server, (call) => eachOf(agents, CONCURRENCY, (agent) => say(call, agent))),
  }
}

type Call = (path: string, body: unknown, session?: string) => Promise<unknown>

async function claim(
  call: Call,
  job: string,
  { token, allocation }: { token: string; allocation: string },
): Promise<Agent> {
  const parts = parseNomadJobId(job)
  if (parts === null) throw new Error(`${job} is no job of a slice`)
  const path = `/api/v1/agent/${toSliceKey(parts.build, parts.index)}/${parts.epoch}`
  const request = {
    claim_id: `claim-of-${allocation}`,
    token,
    protocol: PROTOCOL_VERSION,
    agent_version: '0.0.0',
    allocation_id: allocation,
  }
  const { session } = (await call(`${path}/claim`, request, token)) as { session: string }
  await call(`${path}/accept`, {}, session)
  const started = { type: 'step_started', step: 0, attempt: 1, seq: 1, at_ms: 0 }
  await call(`${path}/events`, { events: [started] }, session)
  return { path, session, said: 1 }
}

async function say(call: Call, agent: Agent): Promise<void> {
  const seq = agent.said + 1
  const notice = { type: 'notice', text: 'still here', seq, at_ms: 0 }
  const answer = await call(`${agent.path}/events`, { events: [notice] }, agent.session)
  const { applied } = answer as { applied: number }
  if (applied !== seq) throw new Error(`${agent.path}: ${applied} of ${seq} events are applied`)
  agent.said = seq
}

async function withPool<T>(server: string, work: (call: Call) => Promise<T>): Promise<T> {
  const pool = new Pool(server, { connections: CONCURRENCY })
  try {
    return await work(async (path, body, session) => {
      const headers = { 'content-type': 'application/json' }
      const answer = await pool.request({
        method: 'POST',
        path,
        headers:
          session === undefined ? headers : { ...headers, authorization: `Bearer ${session}` },
        body: JSON.stringify(body),
      })
      const text = await answer.body.text()
      if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`)
      return JSON.parse(text) as unknown
    })
  } finally {
    await pool.close()
  }
}
