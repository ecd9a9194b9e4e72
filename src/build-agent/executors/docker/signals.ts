/**
 * Signals for a command inside a container, for which Docker has no call.
 *
 * From outside, where the kernel of this machine runs the container and lets us: that needs neither the
 * engine nor room for one more process. Else by a second command inside.
 */
import { readFile } from 'node:fs/promises'
import { type DockerEngine, type Log } from '../../../platform/index.ts'
import { isGroupAlive } from '../../process/group.ts'
import { exec } from './exec.ts'
import { SIGNAL } from './scripts.ts'

export type GroupSignal = 'TERM' | 'KILL'

export interface SignalTarget {
  engine: Pick<DockerEngine, 'prepareExec' | 'startExec' | 'execFacts'>
  container: string
  /** Of Docker's exec. */
  execId: string
  /** Number of the group as the container counts; null while it is not known. */
  innerPid: () => Promise<string | null>
  /** Where this machine's processes are seen. */
  proc?: string
  log: Log
}

export class GroupSignals {
  readonly #target: SignalTarget
  readonly #hostPid: Promise<number | null>

  constructor(target: SignalTarget) {
    this.#target = target
    // Asked at once: when the signal is due, the engine may be away.
    this.#hostPid = findHostPid(target)
  }

  /** @returns whether somebody passed it on. */
  async send(signal: GroupSignal): Promise<boolean> {
    const pid = await this.#hostPid
    if (pid !== null && (await this.#isOurs(pid)) && signalFromOutside(pid, signal)) return true
    return await this.#sendInside(signal)
  }

  /** Null where this machine can not tell. */
  async isAlive(): Promise<boolean | null> {
    const pid = await this.#hostPid
    return pid === null ? null : await isGroupAlive(pid)
  }

  /** The leader may have ended and its number been given away; with it gone, the way inside is taken. */
  async #isOurs(pid: number): Promise<boolean> {
    return await isInContainer(pid, this.#target.container, this.#target.proc)
  }

  async #sendInside(signal: GroupSignal): Promise<boolean> {
    const { engine, container, innerPid, log } = this.#target
    const pid = await innerPid()
    if (pid === null || !/^[1-9]\d*$/.test(pid)) return false
    try {
      // As root: the step may have become another user.
      const argv = ['/bin/sh', '-c', SIGNAL, signal, pid]
      const killer = await exec(engine, container, { argv, environment: {}, user: '0' })
      for await (const told of killer.output)
        log.debug('kill says', { text: told.toString('utf8') })
      return (await engine.execFacts(killer.id))?.exitCode === 0
    } catch (cause) {
      log.warn('a signal did not get into the container', { signal, cause })
      return false
    }
  }
}

async function findHostPid({
  engine,
  execId,
  container,
  proc,
}: SignalTarget): Promise<number | null> {
  const facts = await engine.execFacts(execId).catch(() => null)
  if (facts === null || facts.pid <= 1) return null
  return (await isInContainer(facts.pid, container, proc)) ? facts.pid : null
}

/**
 * Whether a number that Docker tells means the same process here. It does not where the engine is on another
 * machine, or its processes are numbered apart from ours.
 */
export async function isInContainer(
  pid: number,
  container: string,
  proc = '/proc',
): Promise<boolean> {
  const membership = await readFile(`${proc}/${pid}/cgroup`, 'utf8').catch(() => '')
  return membership.includes(container)
}

function signalFromOutside(pid: number, signal: GroupSignal): boolean {
  try {
    process.kill(-pid, `SIG${signal}`)
    return true
  } catch (cause) {
    // Nobody left is as good; what is not ours to signal is for the other way.
    return (cause as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
