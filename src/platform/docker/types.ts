/** The Docker Engine as a port. Every call has a deadline and throws CaravanError DOCKER_FAILED. */

export interface DockerEngine {
  facts(): Promise<EngineFacts>
  /** @returns null when the engine has no such image. */
  image(name: string): Promise<ImageFacts | null>
  /** Tells how the pull goes on; throws when it fails. Has no deadline but the signal. */
  pull(
    name: string,
    options: { auth?: RegistryLogin; signal: AbortSignal },
  ): AsyncIterable<PullProgress>
  createContainer(plan: ContainerPlan): Promise<string>
  startContainer(id: string): Promise<void>
  /** Everything that its main process writes from now on. */
  attach(id: string): Promise<Attached>
  /** The last lines of one that keeps its logs. */
  logs(id: string, lines: number): Promise<Buffer>
  /** @returns null when there is none. */
  container(id: string): Promise<ContainerFacts | null>
  /** One that is gone or does not run is no error. */
  killContainer(id: string): Promise<void>
  /** Makes ready a command in a container that runs. @returns its id. */
  prepareExec(container: string, request: ExecRequest): Promise<string>
  /** Once for each command. */
  startExec(id: string): Promise<Attached>
  /** @returns null when the engine does not know it, such as after a restart of its own. */
  execFacts(id: string): Promise<ExecFacts | null>
  hasNetwork(name: string): Promise<boolean>
  createNetwork(name: string, labels: Readonly<Record<string, string>>): Promise<void>
  /** Containers first, because a network in use can not be removed. */
  labelled(label: string): Promise<Labelled[]>
  /** With what runs in it. What is gone already is no error. */
  remove(thing: Pick<Labelled, 'kind' | 'id'>): Promise<void>
}

export interface EngineFacts {
  version: string
  rootDir: string
  /** `cgroupfs` or `systemd`. */
  cgroupDriver: string
}

export interface ImageFacts {
  id: string
  /** `NAME=value`. */
  environment: readonly string[]
  labels: Readonly<Record<string, string>>
  /** Such as `5432/tcp`. */
  ports: readonly string[]
  user: string
}

export interface RegistryLogin {
  username: string
  password: string
  serveraddress: string
}

export interface PullProgress {
  layer: string | null
  status: string
}

export interface ContainerPlan {
  name: string
  image: string
  environment: readonly string[]
  labels: Readonly<Record<string, string>>
  /** Those of the image when absent. */
  entrypoint?: readonly string[]
  command?: readonly string[]
  user?: string
  /** Whether the first process is one that collects what others leave. */
  hasInit: boolean
  network: string
  /** `source:target[:ro]`. */
  binds: readonly string[]
  /** `name:address`. */
  hosts: readonly string[]
  /** Whether the engine keeps what the main process writes; else it is only there for who is attached. */
  keepsLogs: boolean
  limits: ContainerLimits
}

export interface ContainerLimits {
  memoryBytes: number
  vcpu: number
  pids: number
  /** Null for the engine's own. */
  cgroupParent: string | null
}

export interface ContainerFacts {
  isRunning: boolean
  exitCode: number
  isOutOfMemory: boolean
  /** `starting`, `healthy` or `unhealthy`, by the health check of its image; null without one. */
  health: string | null
  /** Why it could not be started; empty otherwise. */
  error: string
  /** As this machine's kernel numbers it, where the engine is on this machine; 0 when it does not run. */
  pid: number
  /** Its root folder on the machine of the engine. */
  folder: string | null
}

export interface ExecRequest {
  argv: readonly string[]
  environment: Readonly<Record<string, string>>
  /** That of the container when absent. */
  user?: string
}

export interface ExecFacts {
  isRunning: boolean
  exitCode: number | null
  pid: number
}

export interface Attached {
  /** Both streams in their order; throws when the connection breaks. */
  output: AsyncIterable<Buffer>
  close(): void
}

export interface Labelled {
  kind: 'container' | 'network'
  id: string
  labels: Readonly<Record<string, string>>
}
