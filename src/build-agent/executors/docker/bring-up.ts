/** Makes the containers of a job ready, in the order in which they need one another. */
import { availableParallelism, totalmem } from 'node:os'
import { CaravanError, type ContainerSpec, PIDS_MAX, type Task } from '../../../model/index.ts'
import {
  type Clock,
  type ContainerLimits,
  type DockerEngine,
  type ImageFacts,
  type Log,
  type RandomSource,
} from '../../../platform/index.ts'
import type { AgentTimings } from '../../timings.ts'
import type { Folders } from '../../workspace.ts'
import type { Executor } from '../executor.ts'
import type { Bridge } from './bridge.ts'
import { createCgroupParent } from './cgroup-parent.ts'
import { createDockerExecutor, probe } from './executor.ts'
import { provideImage } from './images.ts'
import type { JobContainers } from './job-containers.ts'
import { blockMetadata } from './metadata.ts'
import {
  findSharedPorts,
  fromPairs,
  type JobParts,
  resolveAuth,
  toPrimaryPlan,
  toProxyVariables,
  toServicePlan,
} from './plans.ts'
import { awaitReady, waitOf } from './readiness.ts'
import { type Service, startService } from './services.ts'
import { isInContainer } from './signals.ts'

export interface BringUp {
  engine: DockerEngine
  containers: JobContainers
  bridge: Bridge
  specs: readonly [ContainerSpec, ...ContainerSpec[]]
  task: Task
  folders: Folders
  /** Unlike that of any other slice, also in the past. */
  name: string
  labels: Readonly<Record<string, string>>
  /** Environment of the agent, in which the operator names proxies. */
  inherited: Readonly<Record<string, string | undefined>>
  clock: Clock
  log: Log
  random: RandomSource
  timings: AgentTimings
}

export interface BroughtUp {
  executor: Executor
  /** By index of the container. */
  services: ReadonlyMap<number, Service>
}

/** What operators of such systems give to their containers. */
const SHARED_NETWORK = 'ci-privileged'

/**
 * @param io gets what the user sees of it.
 * @throws ImageMissing; CaravanError INPUT_INVALID for what the user has to mend, DOCKER_FAILED for the rest.
 */
export async function bringUp(
  given: BringUp,
  io: { say: (line: string) => void; signal: AbortSignal },
): Promise<BroughtUp> {
  const { specs } = given
  const names = specs.flatMap(({ name }) => (name === undefined ? [] : [name]))
  const job = {
    name: `caravan-${given.name}`,
    labels: given.labels,
    proxies: toProxyVariables(given.task.proxy ?? {}, given.inherited, names),
    hasInit: true,
  }
  // Neither waits for another; and what was made while something failed is known, and goes.
  const begun = [provideImages(given, io), limit(given), provideNetwork(given, job)] as const
  await Promise.allSettled(begun)
  const [images, limits, network] = await Promise.all(begun)
  throwIfOver(io.signal)
  const [primary] = specs
  const [image] = images
  const parts = { ...job, limits }
  const id = await startPrimary(given, primary, { ...parts, network, image, names })
  throwIfOver(io.signal)
  await guardNetwork(given, id)
  const place = {
    ...given,
    container: id,
    image: primary.image,
    user: primary.user,
    workingDirectory: given.task.working_directory,
    environment: {
      ...fromPairs(image.environment),
      ...fromPairs(job.proxies),
      ...primary.environment,
    },
  }
  const found = await probe(place)
  const services = await startServices(given, io, { images, primary: id, parts })
  throwIfOver(io.signal)
  return { executor: await createDockerExecutor(place, found), services }
}

/** They are waited for together, where they ask for it. */
async function startServices(
  { engine, containers, specs, clock, log }: BringUp,
  { say, signal }: { say: (line: string) => void; signal: AbortSignal },
  job: { images: readonly ImageFacts[]; primary: string; parts: JobParts },
): Promise<Map<number, Service>> {
  const { images, primary, parts } = job
  const plans = specs.flatMap((spec, index) => {
    if (index === 0) return []
    const ports = images[index]?.ports ?? []
    return [{ index, spec, ports, name: spec.name ?? spec.image, limitMs: waitOf(spec) }]
  })
  for (const text of findSharedPorts(plans)) {
    say(`caravan: ${text}: all containers share one network, so one of them can not have it`)
  }
  const services = new Map<number, Service>()
  for (const { spec, index } of plans) {
    const plan = toServicePlan(spec, index, { ...parts, primary })
    services.set(index, await startService({ engine, containers, log }, spec, plan))
    say(`${spec.image}: started as ${spec.name ?? `service ${index}`}, on localhost`)
  }
  if (plans.every(({ limitMs }) => limitMs === 0)) return services
  const networkPid = await findPid(engine, primary)
  await Promise.all(
    plans.map(async ({ index, ...plan }) => {
      const service = services.get(index)
      if (service === undefined || service.failure !== null || plan.limitMs === 0) return
      const { container } = service
      await awaitReady({ ...plan, container }, { engine, networkPid, clock, say, signal })
    }),
  )
  return services
}

/** Of a container's main process; null where it is not to be seen from here. */
async function findPid(engine: DockerEngine, id: string): Promise<number | null> {
  const facts = await engine.container(id)
  if (facts === null || !facts.isRunning) return null
  return (await isInContainer(facts.pid, id)) ? facts.pid : null
}

async function provideImages(
  { engine, specs, task, clock, random, timings }: BringUp,
  { say, signal }: { say: (line: string) => void; signal: AbortSignal },
): Promise<[ImageFacts, ...ImageFacts[]]> {
  const deps = { engine, clock, random, retryBaseMs: timings.pullRetryMs, signal, say }
  const provide = async (spec: ContainerSpec) => {
    const auth = resolveAuth(spec, task.environment)
    return await provideImage({ image: spec.image, ...(auth === undefined ? {} : { auth }) }, deps)
  }
  // One after the other: several at once take the same time, and their progress can not be read.
  const images: [ImageFacts] = [await provide(specs[0])]
  for (const spec of specs.slice(1)) images.push(await provide(spec))
  return images
}

/** What the class has, as far as the machine has it: Docker refuses more processors than there are. */
async function limit({ engine, containers, task, name, log }: BringUp): Promise<ContainerLimits> {
  const { vcpu, memory_mib, pids } = task.resources ?? {
    vcpu: availableParallelism(),
    memory_mib: Math.floor(totalmem() / MIB),
    pids: PIDS_MAX,
  }
  const limits = {
    vcpu: Math.min(vcpu, availableParallelism()),
    memoryBytes: memory_mib * MIB,
    pids,
  }
  const { cgroupDriver } = await engine.facts()
  const parent = cgroupDriver === 'cgroupfs' ? await createCgroupParent(name, limits) : null
  if (parent === null) log.info('containers are limited one by one', { driver: cgroupDriver })
  else containers.addParent(parent)
  return { ...limits, cgroupParent: parent?.path ?? null }
}

const MIB = 1024 ** 2

async function provideNetwork(
  { engine, containers }: BringUp,
  job: Pick<JobParts, 'name' | 'labels'>,
): Promise<string> {
  if (await engine.hasNetwork(SHARED_NETWORK)) return SHARED_NETWORK
  await engine.createNetwork(job.name, job.labels)
  containers.addNetwork(job.name)
  return job.name
}

/** The engine may lack the little program that collects what others leave; the job can do without. */
async function startPrimary(
  { engine, containers, bridge, log }: BringUp,
  spec: ContainerSpec,
  job: JobParts & { network: string; image: ImageFacts; names: readonly string[] },
): Promise<string> {
  for (const hasInit of [true, false]) {
    const plan = toPrimaryPlan(spec, job.image, { ...job, binds: bridge.binds, hasInit })
    const id = containers.addContainer(await engine.createContainer(plan))
    try {
      await engine.startContainer(id)
      return id
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      if (!hasInit || !/docker-init|init binary/i.test(why)) {
        if (!/exec: |executable file not found|no such file/i.test(why)) throw cause
        const message = `the primary container of ${spec.image} does not start: ${why}`
        throw new CaravanError('INPUT_INVALID', message, { cause })
      }
      log.warn('the Docker Engine has no docker-init: nobody collects what steps leave', { cause })
      await containers.drop(id)
    }
  }
  throw new CaravanError('INTERNAL', 'the primary container was not started')
}

async function guardNetwork({ engine, log }: BringUp, id: string): Promise<void> {
  const facts = await engine.container(id)
  if (facts === null || !facts.isRunning) return
  if (await isInContainer(facts.pid, id)) await blockMetadata(facts.pid, log)
  else log.info('the engine is not on this machine: its own firewall guards the metadata address')
}

function throwIfOver(signal: AbortSignal): void {
  if (signal.aborted) throw new CaravanError('DOCKER_FAILED', 'the job ended before it began')
}
