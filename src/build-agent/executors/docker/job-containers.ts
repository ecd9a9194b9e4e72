/** Everything that a job has made in Docker, so that all of it goes, however far it came. */
import { type Clock, type DockerEngine, type Log, sleep } from '../../../platform/index.ts'
import type { CgroupParent } from './cgroup-parent.ts'

/** Docker lets go of a network some time after its last container. */
const TRIES_MAX = 5
const PAUSE_MS = 200

export class JobContainers {
  readonly #engine: Pick<DockerEngine, 'remove'>
  readonly #clock: Clock
  readonly #log: Log
  readonly #containers: string[] = []
  #network: string | null = null
  #parent: CgroupParent | null = null
  /** What goes after the containers. */
  #rest: Promise<void> = Promise.resolve()

  constructor(deps: { engine: Pick<DockerEngine, 'remove'>; clock: Clock; log: Log }) {
    this.#engine = deps.engine
    this.#clock = deps.clock
    this.#log = deps.log
  }

  addContainer(id: string): string {
    this.#containers.push(id)
    return id
  }

  addNetwork(name: string): void {
    this.#network = name
  }

  addParent(parent: CgroupParent): void {
    this.#parent = parent
  }

  /** Removes one that could not be started. */
  async drop(id: string): Promise<void> {
    this.#containers.splice(this.#containers.indexOf(id), 1)
    await this.#remove('container', id)
  }

  /** Returns when nothing of the job runs any more; `removeAll` waits for the rest. */
  async removeContainers(): Promise<void> {
    const containers = this.#containers.splice(0)
    await Promise.all(containers.map(async (id) => await this.#remove('container', id)))
    const before = this.#rest
    // Docker takes its time for a network, and nobody has to wait for that.
    this.#rest = before.then(async () => await this.#removeRest())
  }

  /** May be called again. What stays has labels, and the next sweep finds it. */
  async removeAll(): Promise<void> {
    await this.removeContainers()
    await this.#rest
  }

  async #removeRest(): Promise<void> {
    const [network, parent] = [this.#network, this.#parent]
    this.#network = null
    this.#parent = null
    if (network !== null) await this.#remove('network', network)
    if (parent !== null) await this.#removeParent(parent)
  }

  async #removeParent(parent: CgroupParent): Promise<void> {
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      if (await parent.remove()) return
      await sleep(this.#clock, PAUSE_MS)
    }
    this.#log.warn('the cgroup of the containers can not be removed', { path: parent.path })
  }

  async #remove(kind: 'container' | 'network', id: string): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#engine.remove({ kind, id })
        return
      } catch (cause) {
        if (tries === TRIES_MAX) {
          this.#log.error(`a ${kind} is left to the sweeper`, { id, cause })
          return
        }
        await sleep(this.#clock, PAUSE_MS * tries)
      }
    }
  }
}
