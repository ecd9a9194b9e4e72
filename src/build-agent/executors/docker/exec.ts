/** Commands in a container that runs: made ready, then started, each as often as that is safe. */
import { CaravanError, isCaravanError } from '../../../model/index.ts'
import {
  type Attached,
  type Clock,
  type DockerEngine,
  type ExecRequest,
  type Log,
  sleep,
} from '../../../platform/index.ts'
import { UNCLEAR_MAX_MS } from './ending.ts'

export interface StartedExec extends Attached {
  id: string
}

type Execs = Pick<DockerEngine, 'prepareExec' | 'startExec'>

const PAUSE_MS = 500

/** Without any patience. */
export async function exec(
  engine: Execs,
  container: string,
  request: ExecRequest,
): Promise<StartedExec> {
  const id = await engine.prepareExec(container, request)
  return { id, ...(await engine.startExec(id)) }
}

export interface PatientDeps {
  engine: Execs & Pick<DockerEngine, 'execFacts' | 'container'>
  container: string
  clock: Clock
  log: Log
}

/**
 * An engine that is being restarted is waited for, and a start whose answer was lost is looked up: what runs
 * is never started again.
 *
 * @returns without a connection where that was lost.
 * @throws CaravanError INPUT_INVALID when the container has ended, DOCKER_FAILED for the rest.
 */
export async function execPatiently(deps: PatientDeps, request: ExecRequest): Promise<StartedExec> {
  const { engine, container, clock } = deps
  const giveUpMs = clock.monotonic() + UNCLEAR_MAX_MS
  // One that was made ready and not started does nothing.
  const id = await patiently(deps, giveUpMs, () => engine.prepareExec(container, request))
  return await patiently(deps, giveUpMs, async () => {
    try {
      return { id, ...(await engine.startExec(id)) }
    } catch (cause) {
      if (!isUnanswered(cause)) throw cause
      const facts = await engine.execFacts(id)
      const isUntouched = facts !== null && !facts.isRunning && facts.exitCode === null
      if (isUntouched && facts.pid === 0) throw cause
      return { id, output: NOTHING, close: () => undefined }
    }
  })
}

const NOTHING: AsyncIterable<Buffer> = {
  // oxlint-disable-next-line require-yield
  async *[Symbol.asyncIterator]() {},
}

async function patiently<T>(
  { engine, container, clock, log }: PatientDeps,
  giveUpMs: number,
  call: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (cause) {
      if (isUnanswered(cause) && clock.monotonic() < giveUpMs) {
        log.warn('the Docker Engine is away', { cause })
        await sleep(clock, PAUSE_MS)
        continue
      }
      const facts = await engine.container(container).catch(() => null)
      if (facts === null || facts.isRunning) throw cause
      const message = `the primary container has ended with exit code ${facts.exitCode}: no step can run in it any more`
      throw new CaravanError('INPUT_INVALID', message, { cause })
    }
  }
}

/** Neither a yes nor a no of the engine. */
function isUnanswered(cause: unknown): boolean {
  return isCaravanError(cause, 'DOCKER_FAILED') && cause.detail['status'] === 0
}
