/** The containers beside the primary. One that fails is told of in its own step; the job goes on. */
import { Readable } from 'node:stream'
import { type ContainerSpec } from '../../../model/index.ts'
import {
  type Attached,
  type ContainerPlan,
  type DockerEngine,
  type Log,
} from '../../../platform/index.ts'
import type { JobContainers } from './job-containers.ts'

export interface Service {
  readonly container: string
  /** What it writes, from its first byte on. Ends when it ends. */
  readonly output: AsyncIterable<Buffer>
  /** Why it could not be started; null when it was. */
  readonly failure: string | null
  /** Null while it runs, or when nobody can tell. */
  exitCode(): Promise<number | null>
  close(): void
}

/** Docker holds up a service whose output nobody takes, and steps may wait for that service before they do. */
const AHEAD_BYTES = 4 * 1024 ** 2

export async function startService(
  deps: { engine: DockerEngine; containers: JobContainers; log: Log },
  spec: ContainerSpec,
  plan: ContainerPlan,
): Promise<Service> {
  const { engine, containers, log } = deps
  const id = containers.addContainer(await engine.createContainer(plan))
  // Before it starts, or its first words would be lost.
  const attached: Attached = await engine.attach(id)
  const failure = await engine.startContainer(id).then(
    () => null,
    (cause: unknown) => (cause instanceof Error ? cause.message : String(cause)),
  )
  if (failure !== null) log.warn('a service did not start', { image: spec.image, why: failure })
  return {
    container: id,
    output: readAhead(attached.output),
    failure,
    async exitCode() {
      const facts = await engine.container(id).catch(() => null)
      return facts === null || facts.isRunning ? null : facts.exitCode
    },
    close: () => attached.close(),
  }
}

function readAhead(output: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const ahead = Readable.from(output, { objectMode: false, highWaterMark: AHEAD_BYTES })
  // Told to whoever reads it, later.
  ahead.on('error', () => undefined)
  ahead.read(0)
  return ahead as AsyncIterable<Buffer>
}
