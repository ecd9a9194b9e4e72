/**
 * The Docker Engine, as little of it as the executor needs. The only place that names the client library,
 * which is loaded with the first connection.
 */
import type Docker from 'dockerode'
import { CaravanError } from '../model/index.ts'
import { ignoring, orNull, withDeadline } from './docker/deadline.ts'
import { demultiplex, readLines } from './docker/streams.ts'
import type {
  ContainerFacts,
  ContainerPlan,
  DockerEngine,
  ExecRequest,
  PullProgress,
} from './docker/types.ts'

export type * from './docker/types.ts'

/**
 * @param environment names the engine by `DOCKER_HOST`, as for other programs; else it is at the usual place.
 * @throws CaravanError DOCKER_FAILED when the library can not be used with these settings.
 */
export async function connectDocker(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<DockerEngine> {
  const { default: Client } = await import('dockerode')
  const [, socketPath] = /^unix:\/\/(.+)$/.exec(environment['DOCKER_HOST'] ?? '') ?? []
  try {
    // What is no socket the library reads from the environment of the process by itself.
    return toEngine(new Client(socketPath === undefined ? undefined : { socketPath }))
  } catch (cause) {
    throw new CaravanError('DOCKER_FAILED', 'DOCKER_HOST does not name a Docker Engine', { cause })
  }
}

function toEngine(client: Docker): DockerEngine {
  return {
    ...toImages(client),
    ...toContainers(client),
    ...toExecs(client),
    ...toNetworks(client),
    async facts() {
      const info: EngineInfo = await withDeadline('ask Docker about itself', () => client.info())
      return {
        version: info.ServerVersion ?? '',
        rootDir: info.DockerRootDir ?? '',
        cgroupDriver: info.CgroupDriver ?? '',
      }
    },
  }
}

interface EngineInfo {
  ServerVersion?: string
  DockerRootDir?: string
  CgroupDriver?: string
}

function toImages(client: Docker): Pick<DockerEngine, 'image' | 'pull'> {
  return {
    async image(name) {
      const found = await orNull(
        withDeadline('look at an image', () => client.getImage(name).inspect()),
      )
      if (found === null) return null
      const { Config: config } = found
      return {
        id: found.Id,
        environment: config.Env ?? [],
        labels: config.Labels ?? {},
        ports: Object.keys(config.ExposedPorts ?? {}),
        user: config.User ?? '',
      }
    },
    async *pull(name, { auth, signal }) {
      const stream = await withDeadline('pull an image', () =>
        client.pull(name, auth === undefined ? {} : { authconfig: auth }),
      )
      const stop = () => void ('destroy' in stream && (stream as { destroy(): void }).destroy())
      signal.addEventListener('abort', stop, { once: true })
      try {
        for await (const line of readLines(stream)) yield toProgress(line)
      } finally {
        signal.removeEventListener('abort', stop)
        stop()
      }
    },
  }
}

/** Docker tells of a pull that fails in its last line, and not by the status. */
function toProgress(line: string): PullProgress {
  const told = JSON.parse(line) as { id?: string; status?: string; error?: string }
  if (told.error !== undefined) {
    throw new CaravanError('DOCKER_FAILED', told.error, { detail: { status: 0 } })
  }
  return { layer: told.id ?? null, status: told.status ?? '' }
}

function toContainers(
  client: Docker,
): Pick<
  DockerEngine,
  'createContainer' | 'startContainer' | 'attach' | 'container' | 'killContainer' | 'logs'
> {
  return {
    async createContainer(plan) {
      const made = await withDeadline('make a container', (abortSignal) =>
        client.createContainer({ ...toCreateOptions(plan), abortSignal }),
      )
      return made.id
    },
    async startContainer(id) {
      await withDeadline('start a container', (abortSignal) =>
        client.getContainer(id).start({ abortSignal }),
      )
    },
    async attach(id) {
      const stream = await withDeadline('attach to a container', () =>
        client.getContainer(id).attach({ stream: true, stdout: true, stderr: true }),
      )
      return { output: demultiplex(stream), close: () => destroy(stream) }
    },
    async logs(id, lines) {
      const told = await withDeadline('read the output of a container', (abortSignal) =>
        client.getContainer(id).logs({ stdout: true, stderr: true, tail: lines, abortSignal }),
      )
      const parts: Buffer[] = []
      for await (const part of demultiplex([told])) parts.push(part)
      return Buffer.concat(parts)
    },
    async container(id) {
      const found = await orNull(
        withDeadline('look at a container', (abortSignal) =>
          client.getContainer(id).inspect({ abortSignal }),
        ),
      )
      return found === null ? null : toContainerFacts(found)
    },
    async killContainer(id) {
      await ignoring([404, 409], () =>
        withDeadline('kill a container', (abortSignal) =>
          client.getContainer(id).kill({ abortSignal }),
        ),
      )
    },
  }
}

function toContainerFacts({ State, GraphDriver }: Docker.ContainerInspectInfo): ContainerFacts {
  return {
    isRunning: State.Running,
    health: toHealth(State.Health?.Status),
    exitCode: State.ExitCode,
    isOutOfMemory: State.OOMKilled,
    error: State.Error,
    pid: State.Pid,
    folder: (GraphDriver as { Data?: { MergedDir?: string } }).Data?.MergedDir ?? null,
  }
}

/** An image may take the check of the one below it away. */
function toHealth(status: string | undefined): string | null {
  return status === undefined || status === 'none' ? null : status
}

function toCreateOptions(plan: ContainerPlan): Docker.ContainerCreateOptions {
  const { limits } = plan
  return {
    name: plan.name,
    Image: plan.image,
    Env: [...plan.environment],
    Labels: { ...plan.labels },
    ...(plan.entrypoint === undefined ? {} : { Entrypoint: [...plan.entrypoint] }),
    ...(plan.command === undefined ? {} : { Cmd: [...plan.command] }),
    ...(plan.user === undefined ? {} : { User: plan.user }),
    HostConfig: {
      Init: plan.hasInit,
      // Steps use `sudo`, also where the engine keeps it from all who do not ask.
      SecurityOpt: ['no-new-privileges=false'],
      NetworkMode: plan.network,
      Binds: [...plan.binds],
      ...(plan.hosts.length === 0 ? {} : { ExtraHosts: [...plan.hosts] }),
      Memory: limits.memoryBytes,
      // No more with swap than without: a build that swaps is slower than one that is told.
      MemorySwap: limits.memoryBytes,
      NanoCpus: Math.round(limits.vcpu * 1e9),
      PidsLimit: limits.pids,
      ...(limits.cgroupParent === null ? {} : { CgroupParent: limits.cgroupParent }),
      LogConfig: plan.keepsLogs
        ? { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } }
        : { Type: 'none', Config: {} },
    },
  }
}

function toExecs(client: Docker): Pick<DockerEngine, 'prepareExec' | 'startExec' | 'execFacts'> {
  return {
    async prepareExec(container, request: ExecRequest) {
      const { argv, environment, user } = request
      const made = await withDeadline('make ready a command', (abortSignal) =>
        client.getContainer(container).exec({
          Cmd: [...argv],
          Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
          AttachStdout: true,
          AttachStderr: true,
          // The container's own may have been removed by a step.
          WorkingDir: '/',
          ...(user === undefined ? {} : { User: user }),
          abortSignal,
        }),
      )
      return made.id
    },
    async startExec(id) {
      const stream = await withDeadline('start a command', () =>
        client.getExec(id).start({ hijack: true, stdin: false }),
      )
      return { output: demultiplex(stream), close: () => destroy(stream) }
    },
    async execFacts(id) {
      const found = await orNull(
        withDeadline('look at a command', (abortSignal) =>
          client.getExec(id).inspect({ abortSignal }),
        ),
      )
      if (found === null) return null
      return { isRunning: found.Running, exitCode: found.ExitCode, pid: found.Pid }
    },
  }
}

function toNetworks(
  client: Docker,
): Pick<DockerEngine, 'hasNetwork' | 'createNetwork' | 'labelled' | 'remove'> {
  return {
    async hasNetwork(name) {
      const found = await withDeadline('list networks', (abortSignal) =>
        client.listNetworks({ filters: { name: [name] }, abortSignal }),
      )
      // The filter takes a part of a name too.
      return found.some((network) => network.Name === name)
    },
    async createNetwork(name, labels) {
      await withDeadline('make a network', (abortSignal) =>
        client.createNetwork({ Name: name, Driver: 'bridge', Labels: { ...labels }, abortSignal }),
      )
    },
    async labelled(label) {
      const filters = { label: [label] }
      const [containers, networks] = await withDeadline('list leftovers', (abortSignal) =>
        Promise.all([
          client.listContainers({ all: true, filters, abortSignal }),
          client.listNetworks({ filters, abortSignal }),
        ]),
      )
      return [
        ...containers.map(({ Id, Labels }) => ({
          kind: 'container' as const,
          id: Id,
          labels: Labels,
        })),
        ...networks.map(({ Id, Labels }) => ({
          kind: 'network' as const,
          id: Id,
          labels: Labels ?? {},
        })),
      ]
    },
    async remove({ kind, id }) {
      // Gone, or somebody else is at it already.
      await ignoring([404, 409], () =>
        withDeadline(`remove a ${kind}`, (abortSignal) =>
          kind === 'network'
            ? client.getNetwork(id).remove({ abortSignal })
            : client.getContainer(id).remove({ force: true, v: true, abortSignal }),
        ),
      )
    },
  }
}

function destroy(stream: unknown): void {
  ;(stream as { destroy(): void }).destroy()
}
