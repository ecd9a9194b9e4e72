/** An agent by script: speaks to the gate as the real one does, and runs nothing. */
import { createHash } from 'node:crypto'
import {
  PROTOCOL_VERSION,
  REASONS,
  parseNomadJobId,
  toSliceKey,
  type AgentEvent,
  type ClaimAnswer,
  type Reason,
  type StepState,
} from '../../../src/model/index.ts'
import type { NomadAllocation, NomadJob } from '../../../src/nomad/index.ts'
import type { AgentCaller, AgentGate, AgentOutcome } from '../../../src/scheduler/index.ts'
import type { FakeCluster } from './cluster.ts'
import { until } from './scheduler.ts'

type WithoutOrder<Event> = Event extends unknown ? Omit<Event, 'seq' | 'at_ms'> : never

export class ScriptedAgent {
  readonly gate: AgentGate
  readonly #job: NomadJob
  readonly #allocation: Pick<NomadAllocation, 'ID' | 'NodeID' | 'NodeName'>
  readonly claimId: string
  #caller: AgentCaller | null = null
  #seq = 0

  constructor(
    gate: AgentGate,
    job: NomadJob,
    allocation: Pick<NomadAllocation, 'ID' | 'NodeID' | 'NodeName'>,
    claimId = `claim of ${allocation.ID}`.padEnd(20, '.'),
  ) {
    this.gate = gate
    this.#job = job
    this.#allocation = allocation
    this.claimId = claimId
  }

  get caller(): AgentCaller {
    if (this.#caller === null) throw new Error('not claimed yet')
    return this.#caller
  }

  get allocationId(): string {
    return this.#allocation.ID
  }

  get jobId(): string {
    return this.#job.ID
  }

  get token(): string {
    const env = this.#job.TaskGroups[0]?.Tasks[0]?.Env ?? {}
    return env['CARAVAN_CLAIM_TOKEN'] ?? ''
  }

  async claim(
    more: { token?: string; protocol?: number } = {},
  ): Promise<AgentOutcome<ClaimAnswer>> {
    const parts = parseNomadJobId(this.#job.ID)
    if (parts === null) throw new Error(`not a slice: ${this.#job.ID}`)
    const slice = toSliceKey(parts.build, parts.index)
    const outcome = await this.gate.claim(slice, parts.epoch, {
      claim_id: this.claimId,
      token: this.token,
      protocol: PROTOCOL_VERSION,
      agent_version: '0.0.0',
      allocation_id: this.#allocation.ID,
      node_id: this.#allocation.NodeID,
      node_name: this.#allocation.NodeName,
      ...more,
    })
    if (outcome.ok) this.#caller = { slice, epoch: parts.epoch, session: outcome.value.session }
    return outcome
  }

  /** Claims and accepts; throws when either is refused. */
  async begin(): Promise<ClaimAnswer> {
    const claimed = unwrap(await this.claim())
    unwrap(await this.gate.accept(this.caller))
    return claimed
  }

  send(...events: WithoutOrder<AgentEvent>[]) {
    return this.gate.events(this.caller, this.ordered(...events))
  }

  /** Numbers events without sending them. */
  ordered(...events: WithoutOrder<AgentEvent>[]): AgentEvent[] {
    return events.map((event) => ({ ...event, seq: ++this.#seq, at_ms: 0 }))
  }

  output(step: number, offset: number, text: string) {
    return this.gate.output(this.caller, { step, attempt: 1, offset }, Buffer.from(text))
  }

  /** A whole step: start, output, end. */
  async step(step: number, text: string, state: StepState = 'succeeded'): Promise<void> {
    unwrap(await this.send({ type: 'step_started', step, attempt: 1 }))
    if (text !== '') unwrap(await this.output(step, 0, text))
    unwrap(await this.send(stepFinished(step, text, state)))
  }

  report(reason: Reason, detail = '') {
    const { result } = REASONS[reason]
    return this.send({ type: 'slice_finished', result, reason, detail })
  }
}

export function stepFinished(
  step: number,
  text: string,
  state: StepState = 'succeeded',
): WithoutOrder<Extract<AgentEvent, { type: 'step_finished' }>> {
  return {
    type: 'step_finished',
    step,
    attempt: 1,
    state: state as 'succeeded',
    exit_code: state === 'succeeded' ? 0 : 1,
    signal: null,
    reason: state === 'succeeded' ? null : 'exit_code',
    duration_ms: 5,
    output: {
      length: Buffer.byteLength(text),
      sha256: createHash('sha256').update(text).digest('hex'),
      dropped: 0,
    },
  }
}

export function unwrap<T>(outcome: AgentOutcome<T>): T {
  if (outcome.ok) return outcome.value
  throw new Error(`refused: ${outcome.refusal}`)
}

/** The agents of all placed jobs, in the order of the slices. */
export async function agentsOf(
  cluster: FakeCluster,
  scheduler: { agents: AgentGate },
  count: number,
): Promise<ScriptedAgent[]> {
  await until(() => cluster.allocations.size >= count, `${count} allocations`)
  const jobs = [...cluster.jobs.values()].sort((a, b) => (a.ID < b.ID ? -1 : 1))
  return jobs.slice(0, count).map((job) => {
    const allocation = [...cluster.allocations.values()].find((each) => each.JobID === job.ID)
    if (allocation === undefined) throw new Error(`no allocation of ${job.ID}`)
    return new ScriptedAgent(scheduler.agents, job, allocation)
  })
}

/** The agent of a build of one slice. */
export async function agentOf(
  cluster: FakeCluster,
  scheduler: { agents: AgentGate },
): Promise<ScriptedAgent> {
  const [agent] = await agentsOf(cluster, scheduler, 1)
  if (agent === undefined) throw new Error('no agent')
  return agent
}
