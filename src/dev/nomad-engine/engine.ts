/** Puts the engine together: state, journal, scheduler, client, HTTP. */
import { mkdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { lockFolder } from '../../platform/index.ts'
import { Client } from './client/client.ts'
import type { Driver } from './client/driver.ts'
import { createRawExecDriver } from './client/raw-exec.ts'
import { createSimulatedDriver } from './client/simulated.ts'
import { Sweeper } from './client/sweeper.ts'
import { startGarbageCollector } from './garbage-collector.ts'
import type { Routes } from './http/call.ts'
import { agentRoutes } from './http/routes/agent.ts'
import { allocationRoutes } from './http/routes/allocations.ts'
import { evaluationRoutes } from './http/routes/evaluations.ts'
import { eventRoutes } from './http/routes/events.ts'
import { fileRoutes } from './http/routes/files.ts'
import { jobDetailRoutes } from './http/routes/job-details.ts'
import { jobRoutes } from './http/routes/jobs.ts'
import { nodeRoutes } from './http/routes/nodes.ts'
import { operatorRoutes } from './http/routes/operator.ts'
import { statsRoutes } from './http/routes/stats.ts'
import { unsupportedRoutes } from './http/routes/unsupported.ts'
import { createServer } from './http/server.ts'
import { describeNode, SIMULATED } from './node-registration.ts'
import { setNodeStatus } from './operations/nodes.ts'
import { completeNodeOptions } from './options.ts'
import type { CompleteNodeOptions, EngineNodeOptions, EngineOptions } from './options.ts'
import { Broker } from './scheduling/broker.ts'
import { Drainer } from './scheduling/drainer.ts'
import { EventBuffer } from './state/event-buffer.ts'
import { openJournal } from './state/journal.ts'
import type { Journal } from './state/journal.ts'
import { withPool } from './objects/values.ts'
import { SETTING_KEY } from './state/rows.ts'
import type { Commit, Write } from './state/rows.ts'
import { State } from './state/state.ts'
import { Watch } from './state/watch.ts'

export interface NomadEngine {
  /** Such as `http://127.0.0.1:4646`. */
  url: string
  port: number
  /** Adds a node, or takes up the known one of that name. @returns its id. */
  addNode(options: EngineNodeOptions): string
  /** As if its heartbeats had stopped, or come back. */
  setNodeStatus(nodeId: string, status: 'ready' | 'down'): void
  /** Real tasks go on when they are not stopped, and the next engine on this folder finds them. */
  close(options: { stopTasks: boolean }): Promise<void>
}

/** @throws CaravanError DATA_DIR_LOCKED when another engine uses the folder. */
export async function startNomadEngine(options: EngineOptions): Promise<NomadEngine> {
  const { clock, log, host = '127.0.0.1' } = options
  const random = withPool(options.random)
  const dataDir = resolve(options.dataDir)
  mkdirSync(dataDir, { recursive: true })
  const lock = await lockFolder(dataDir, clock.now())
  const state = new State()
  const journal = openJournal(dataDir, state, log)
  const events = new EventBuffer()
  const watch = new Watch(clock)
  publish(state, journal, [(commit) => events.append(commit), (commit) => watch.note(commit)])
  seed(state)

  const core = { state, clock, random }
  const sweeper = new Sweeper(clock)
  const nodes = new NodeBook(clock, sweeper)
  let address = ''
  const deps = { ...core, watch, log, dataDir, events, address: () => address }
  const broker = new Broker({ ...core, log })
  const drainer = new Drainer({ ...core, log })
  const client = new Client({
    ...deps,
    sweeper,
    host: options.environment,
    driverFor: (nodeId, name) => nodes.driver(nodeId, name),
  })
  const routes = toRoutes({ ...deps, client, broker, hostName: hostname() })
  const intercept = options.intercept ?? ((_call, next) => next())
  const server = createServer({ routes, intercept, log, beforeAnswer: () => journal.flush() })
  const port = await server.listen(host, options.port)
  address = `${host}:${port}`

  let count = 0
  const addNode = (node: EngineNodeOptions): string => {
    const complete = completeNodeOptions(node, count++)
    return register(state, nodes, { options: complete, address, nowMs: clock.now(), random })
  }
  for (const node of options.nodes ?? [{}]) addNode(node)
  for (const id of nodes.missing(state)) setNodeStatus(core, id, 'down')
  client.start()
  broker.start()
  drainer.start()
  const stopCollector = startGarbageCollector(state, clock, log)
  log.info('embedded Nomad engine started: for one machine and for tests, no cluster', {
    url: `http://${address}`,
    dataDir,
  })
  return {
    url: `http://${address}`,
    port,
    addNode,
    setNodeStatus: (nodeId, status) => void setNodeStatus(core, nodeId, status),
    async close({ stopTasks }) {
      stopCollector()
      watch.close()
      await server.close()
      broker.close()
      drainer.close()
      await client.close({ stopTasks })
      sweeper.finish()
      journal.close()
      lock.release()
    },
  }
}

/** Tells the outside of commits only once they are recorded. */
function publish(state: State, journal: Journal, readers: ((commit: Commit) => void)[]): void {
  let recorded: Commit[] = []
  state.onCommit((commit) => recorded.push(commit))
  journal.onFlush(() => {
    const commits = recorded
    recorded = []
    for (const commit of commits) for (const tell of readers) tell(commit)
  })
}

/** What exists on a server that nobody has used yet. */
function seed(state: State): void {
  const pools = [
    { Name: 'all', Description: 'Node pool with all nodes in the cluster.' },
    { Name: 'default', Description: 'Default node pool.' },
  ]
  const writes: Write[] = pools
    .filter(({ Name }) => state.tables.pool.get(Name) === undefined)
    .map((pool) => ({
      table: 'pool',
      key: pool.Name,
      put: { ...pool, CreateIndex: 0, ModifyIndex: 0 },
    }))
  if (state.tables.setting.get(SETTING_KEY) === undefined) {
    const put = {
      SchedulerAlgorithm: 'binpack' as const,
      PreemptionConfig: {
        SystemSchedulerEnabled: true,
        SysBatchSchedulerEnabled: false,
        BatchSchedulerEnabled: false,
        ServiceSchedulerEnabled: false,
      },
      MemoryOversubscriptionEnabled: false,
      RejectJobRegistration: false,
      PauseEvalBroker: false,
      NodeLimitForFeasibilityChecks: 0,
      CreateIndex: 0,
      ModifyIndex: 0,
    }
    writes.push({ table: 'setting', key: SETTING_KEY, put })
  }
  if (writes.length > 0) state.commit('Internal', writes)
}

/** @returns the id of the node, new or known. Its pool is made when it is the first of it. */
function register(
  state: State,
  nodes: NodeBook,
  registration: Omit<Parameters<typeof describeNode>[0], 'known'>,
): string {
  const { name, nodePool } = registration.options
  const known = [...state.tables.node.rows.values()].find((node) => node.Name === name)
  const put = describeNode({ ...registration, known })
  nodes.note(put.ID, registration.options)
  const writes: Write[] = [{ table: 'node', key: put.ID, put }]
  if (state.tables.pool.get(nodePool) === undefined) {
    const pool = { Name: nodePool, Description: '', CreateIndex: 0, ModifyIndex: 0 }
    writes.unshift({ table: 'pool', key: nodePool, put: pool })
  }
  state.commit('NodeRegistration', writes)
  return put.ID
}

/** Which driver plays which task on which node. */
class NodeBook {
  readonly #options = new Map<string, CompleteNodeOptions>()
  readonly #real: Driver
  readonly #simulated: Driver

  constructor(clock: EngineOptions['clock'], sweeper: Sweeper) {
    this.#real = createRawExecDriver(clock, sweeper)
    this.#simulated = createSimulatedDriver(clock)
  }

  note(nodeId: string, options: CompleteNodeOptions): void {
    this.#options.set(nodeId, options)
  }

  /** Simulated nodes of an earlier process whose player is gone. */
  missing(state: State): string[] {
    return [...state.tables.node.rows.values()]
      .filter((node) => node.Attributes[SIMULATED] && !this.#options.has(node.ID))
      .map((node) => node.ID)
  }

  driver(nodeId: string, name: string): Driver {
    const simulate = this.#options.get(nodeId)?.simulate
    const simulated = this.#simulated
    if (simulate === undefined) return name === 'raw_exec' ? this.#real : simulated
    return {
      ...simulated,
      start: (launch) =>
        simulated.start({ ...launch, config: { ...simulate(launch.allocation.Job) } }),
    }
  }
}

type AllDeps = Parameters<typeof agentRoutes>[0] &
  Parameters<typeof eventRoutes>[0] &
  Parameters<typeof operatorRoutes>[0] &
  Parameters<typeof statsRoutes>[0]

function toRoutes(deps: AllDeps): Routes {
  return {
    ...jobRoutes(deps),
    ...jobDetailRoutes(deps),
    ...evaluationRoutes(deps),
    ...allocationRoutes(deps),
    ...nodeRoutes(deps),
    ...agentRoutes(deps),
    ...operatorRoutes(deps),
    ...eventRoutes(deps),
    ...fileRoutes(deps),
    ...statsRoutes(deps),
    ...unsupportedRoutes(),
  }
}
