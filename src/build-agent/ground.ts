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
import type { AgentTimings } from './timings.ts'
import type { Folders } from './workspace.ts'

export interface Ground {
  readonly folders: Folders
  /** Of the pipes that steps write to, as `mkfifo` takes it. */
  readonly pipeMode: string
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
    pipeMode: '600',
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
  const engine = await connectDocker()
  // What was left takes memory that this slice counts on.
  await sweepDocker(log, engine)
  const containers = new JobContainers({ engine, clock, log })
  return {
    folders,
    pipeMode: '666',
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

/**
 * Removes what agents of this machine have left in Docker. A machine without Docker has nothing of it.
 *
 * @returns how many things were removed, and how many would not go.
 */
export async function sweepDocker(
  log: Log,
  engine?: DockerEngine,
): Promise<{ removed: number; kept: number }> {
  try {
    return await sweepContainers(engine ?? (await connectDocker()), log)
  } catch (cause) {
    // Where one is needed, the job that needs it tells.
    log.info('Docker was not swept', { cause: describeCause(cause) })
    return { removed: 0, kept: 0 }
  }
}
