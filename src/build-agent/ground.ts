/** What a slice stands on: this machine, or containers that are made ready first. */
import type { Task } from '../model/index.ts'
import { connectDocker, describeCause, type DockerEngine, type Log } from '../platform/index.ts'
import { type Bridge, createBridge, toContainerFolders } from './executors/docker/bridge.ts'
import { bringUp, type BringUp } from './executors/docker/bring-up.ts'
import { JobContainers } from './executors/docker/job-containers.ts'
import { sweepContainers, toLabels } from './executors/docker/leftovers.ts'
import type { Service } from './executors/docker/services.ts'
import type { Executor } from './executors/executor.ts'
import type { AgentOptions } from './ports.ts'
import { PIPES_AHEAD } from './process/pipe.ts'
import type { AgentTimings } from './timings.ts'
import type { Folders } from './workspace.ts'

export interface Ground {
  readonly folders: Folders
  /** How the pipes that steps write to are made. */
  readonly pipes: { ready: number; mode: string }
  /** Makes ready what the steps run in, and tells the user how it goes. */
  open(io: { say: (line: string) => void; signal: AbortSignal }): Promise<OpenGround>
  close(): Promise<void>
}

export interface OpenGround {
  executor: Executor
  /** By index of their containers. */
  services: ReadonlyMap<number, Service>
}

export interface GroundOptions extends AgentOptions {
  timings: AgentTimings
}

/** @param machine made ready while the claim was under way. */
export async function createGround(
  options: GroundOptions,
  task: Task,
  machine: { folders: Folders; executor: Executor; name: string },
): Promise<Ground> {
  const { executor, folders } = machine
  if (task.executor.kind === 'docker') {
    // Nothing runs on the machine itself.
    await executor.close()
    const { containers } = task.executor
    return await createContainerGround(options, { task, specs: containers, ...machine })
  }
  return {
    folders,
    pipes: { ready: PIPES_AHEAD, mode: '600' },
    open: async () => ({ executor, services: new Map() }),
    close: async () => await executor.close(),
  }
}

async function createContainerGround(
  options: GroundOptions,
  job: {
    task: Task
    specs: BringUp['specs'] | readonly BringUp['specs'][number][]
    folders: Folders
    name: string
  },
): Promise<Ground> {
  const { clock, log, server } = options
  const folders = toContainerFolders(job.folders)
  const bridge: Bridge = await createBridge(folders)
  const engine = await connectDocker(options.environment)
  // What was left takes memory that this slice counts on.
  await sweepEngine(engine, log)
  const containers = new JobContainers({ engine, clock, log })
  return {
    folders,
    pipes: { ready: 0, mode: '666' },
    async open(io) {
      const [primary, ...others] = job.specs
      if (primary === undefined) throw new RangeError('a job in containers has at least one')
      const labels = await toLabels(server.slice, server.epoch, process.pid)
      const { task, name } = job
      const inherited = options.environment
      const parts = { engine, containers, bridge, task, folders, name, labels, inherited }
      return await bringUp({ ...options, ...parts, specs: [primary, ...others] }, io)
    },
    async close() {
      await containers.removeAll()
      bridge.close()
    },
  }
}

/** What agents of this machine have left in Docker. */
interface Swept {
  /** How many containers and networks went. */
  removed: number
  /** How many would not go. */
  kept: number
}

/**
 * Removes what agents of this machine have left in Docker.
 *
 * @param environment names the engine. A machine without one has nothing of it.
 */
export async function sweepDocker(
  environment: GroundOptions['environment'],
  log: Log,
): Promise<Swept> {
  return await sweepEngine(connectDocker(environment), log)
}

async function sweepEngine(engine: DockerEngine | Promise<DockerEngine>, log: Log): Promise<Swept> {
  try {
    return await sweepContainers(await engine, log)
  } catch (cause) {
    // Where one is needed, the job that needs it tells. A machine that has none is no news to a timer.
    const text = describeCause(cause)
    log[text.includes('ENOENT') ? 'debug' : 'info']('Docker was not swept', { cause: text })
    return { removed: 0, kept: 0 }
  }
}
