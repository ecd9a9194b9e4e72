/** Puts the engine together: storage, scheduler, client, HTTP. */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { Client } from './client/client.ts'
import { Sweeper } from './client/sweeper.ts'
import { startGarbageCollector } from './garbage-collector.ts'
import { createServer } from './http/server.ts'
import { toRoutes } from './http/routes/index.ts'
import { NodeBook } from './node-book.ts'
import { describeNode } from './node-registration.ts'
import { withPool } from './objects/values.ts'
import type { Core } from './operations/jobs.ts'
import { registerNode, setNodeStatus } from './operations/nodes.ts'
import { completeNodeOptions } from './options.ts'
import type { EngineNodeOptions, EngineOptions } from './options.ts'
import { Broker } from './scheduling/broker.ts'
import { Drainer } from './scheduling/drainer.ts'
import { openStorage } from './storage.ts'
import type { Storage } from './storage.ts'

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

/**
 * Serves Nomad's API on one machine.
 *
 * @throws CaravanError DATA_DIR_LOCKED when another engine uses the folder, STORE_FAILED when it can
 *   not be read.
 * @throws Error with Node's own code, such as EADDRINUSE, when it can not listen.
 */
export async function startNomadEngine(options: EngineOptions): Promise<NomadEngine> {
  const dataDir = resolve(options.dataDir)
  const storage = await openStorage(dataDir, options.clock, options.log)
  try {
    return await startOn(storage, { ...options, dataDir })
  } catch (cause) {
    storage.close()
    throw cause
  }
}

async function startOn(storage: Storage, options: EngineOptions): Promise<NomadEngine> {
  const { clock, log, dataDir, host = '127.0.0.1' } = options
  const { state } = storage
  const core: Core = { state, clock, random: withPool(options.random) }
  const sweeper = new Sweeper(clock)
  const nodes = new NodeBook(clock, sweeper)
  let address = ''
  const deps = { ...core, ...storage, log, dataDir, address: () => address }
  const broker = new Broker({ ...core, log })
  const drainer = new Drainer({ ...core, log })
  const client = new Client({
    ...deps,
    sweeper,
    host: options.environment,
    driverFor: (nodeId, name) => nodes.driver(nodeId, name),
  })
  const server = createServer({
    routes: toRoutes({ ...deps, client, broker, hostName: hostname() }),
    intercept: options.intercept ?? ((_call, next) => next()),
    beforeAnswer: () => storage.flush(),
    log,
  })
  const port = await server.listen(host, options.port)
  address = `${host}:${port}`
  const addNode = createRegistrar(core, nodes, address)
  for (const node of options.nodes ?? [{}]) addNode(node)
  for (const id of nodes.missing(state)) setNodeStatus(core, id, 'down')
  client.start()
  broker.start()
  drainer.start()
  const stopCollector = startGarbageCollector(state, clock, log)
  const url = `http://${address}`
  log.info('embedded Nomad engine started: for one machine and for tests, no cluster', {
    url,
    dataDir,
  })
  const close = once(async (how: { stopTasks: boolean }) => {
    stopCollector()
    storage.watch.close()
    broker.close()
    drainer.close()
    // Answers to the end: tasks that are stopped may want to know why.
    await client.close(how)
    await server.close()
    sweeper.finish()
    storage.close()
  })
  return {
    url,
    port,
    addNode,
    setNodeStatus: (nodeId, status) => void setNodeStatus(core, nodeId, status),
    close,
  }
}

/** Names nodes in the order in which they come, unless they bring a name. */
function createRegistrar(core: Core, nodes: NodeBook, address: string) {
  const { state, clock, random } = core
  let count = 0
  return (node: EngineNodeOptions): string => {
    const options = completeNodeOptions(node, count++)
    const known = [...state.tables.node.rows.values()].find((row) => row.Name === options.name)
    const row = describeNode({ options, known, address, nowMs: clock.now(), random })
    nodes.note(row.ID, options)
    registerNode(core, row)
    return row.ID
  }
}

/** Who calls again gets the first call's outcome. */
function once<Input, Output>(run: (input: Input) => Promise<Output>) {
  let outcome: Promise<Output> | null = null
  return (input: Input): Promise<Output> => (outcome ??= run(input))
}
