/**
 * Waits until a service can be used, where its own environment asks for that.
 *
 * A health check of the image has the say; without one it is ready when all TCP ports that the image announces
 * are listened on. That is read from the kernel: a connection might be more than a service expects. One that is
 * not ready in time is told of, and the job goes on, as it does without a wait.
 */
import { readFile } from 'node:fs/promises'
import {
  CaravanError,
  type ContainerSpec,
  formatDuration,
  parseDurationMs,
} from '../../../model/index.ts'
import { type Clock, type DockerEngine, sleep } from '../../../platform/index.ts'

export interface WaitingService {
  /** As people call it. */
  name: string
  container: string
  /** `8080/tcp`, as its image announces them. */
  ports: readonly string[]
  limitMs: number
}

export interface ReadinessDeps {
  engine: Pick<DockerEngine, 'container'>
  /** A process in the network of the job, as this machine numbers it; null where it is not to be seen. */
  networkPid: number | null
  clock: Clock
  say: (line: string) => void
  signal: AbortSignal
  /** Where this machine tells of its processes. */
  proc?: string
}

/** Of a service, in its `environment`: CI systems that do not know it do no harm with it. */
const WAIT_VARIABLE = 'CARAVAN_SERVICE_WAIT'
/** More is a mistake: the steps can wait, too, and are seen while they do. */
const WAIT_MAX_MS = 600_000
const LOOK_MS = 250

/** @returns 0 for no wait. @throws CaravanError INPUT_INVALID */
export function waitOf({
  image,
  environment,
}: Pick<ContainerSpec, 'image' | 'environment'>): number {
  const written = environment[WAIT_VARIABLE] ?? ''
  if (written === '') return 0
  const ms = parseDurationMs(written)
  if (ms !== null && ms <= WAIT_MAX_MS) return ms
  const wanted = `a duration of at most ${formatDuration(WAIT_MAX_MS)}, such as 30s`
  throw new CaravanError('INPUT_INVALID', `${WAIT_VARIABLE} of ${image}: ${wanted}, not ${written}`)
}

/** Settles when it is ready, when it has ended, and when the time or the job is over. */
export async function awaitReady(service: WaitingService, deps: ReadinessDeps): Promise<void> {
  const { name, limitMs } = service
  const { clock, say, signal } = deps
  const startMs = clock.monotonic()
  for (;;) {
    const lack = await findLack(service, deps)
    const passedMs = clock.monotonic() - startMs
    if (signal.aborted) return
    if (lack.kind === 'none') return say(`${name}: ready after ${(passedMs / 1000).toFixed(1)} s`)
    if (lack.kind === 'final') return say(`${name}: not waited for: ${lack.text}`)
    if (passedMs >= limitMs) {
      return say(`${name}: not ready after ${formatDuration(limitMs)}: ${lack.text}. Going on`)
    }
    await sleep(clock, Math.min(LOOK_MS, limitMs - passedMs), signal)
  }
}

type Lack = { kind: 'none' } | { kind: 'yet' | 'final'; text: string }

async function findLack(service: WaitingService, deps: ReadinessDeps): Promise<Lack> {
  const facts = await deps.engine.container(service.container).catch(() => null)
  if (facts === null) return { kind: 'yet', text: 'the Docker Engine does not answer' }
  if (!facts.isRunning) return { kind: 'final', text: 'it has ended' }
  if (facts.health === 'healthy') return { kind: 'none' }
  if (facts.health !== null) return { kind: 'yet', text: `its health check says ${facts.health}` }
  const wanted = service.ports.flatMap((port) => /^(\d+)\/tcp$/.exec(port)?.[1] ?? []).map(Number)
  if (wanted.length === 0) {
    return { kind: 'final', text: 'its image has no health check and announces no TCP port' }
  }
  const open = await readListening(deps)
  if (open === null) return { kind: 'final', text: 'its network can not be seen from here' }
  const closed = wanted.filter((port) => !open.has(port))
  if (closed.length === 0) return { kind: 'none' }
  return { kind: 'yet', text: `nobody listens on port ${closed.join(', ')}` }
}

/** TCP ports, on any address of the network. */
async function readListening({
  networkPid,
  proc = '/proc',
}: ReadinessDeps): Promise<ReadonlySet<number> | null> {
  const read = async (name: string) =>
    await readFile(`${proc}/${networkPid}/net/${name}`, 'utf8').catch(() => null)
  // A machine without IPv6 has one of them only.
  const tables = (await Promise.all(['tcp', 'tcp6'].map(read))).filter((table) => table !== null)
  if (tables.length === 0) return null
  // Number, local address and port, remote ones, state: 0A is to listen.
  const rows = tables
    .join('\n')
    .matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm)
  return new Set([...rows].map(([, port = '']) => Number.parseInt(port, 16)))
}
