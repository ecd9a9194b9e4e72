/** Which driver plays which task on which node. */
import type { Clock } from '../../platform/index.ts'
import type { Driver } from './client/driver.ts'
import { createRawExecDriver } from './client/raw-exec.ts'
import { createSimulatedDriver } from './client/simulated.ts'
import type { Sweeper } from './client/sweeper.ts'
import { SIMULATED } from './node-registration.ts'
import type { CompleteNodeOptions } from './options.ts'
import type { State } from './state/state.ts'

export class NodeBook {
  readonly #options = new Map<string, CompleteNodeOptions>()
  readonly #real: Driver
  readonly #simulated: Driver

  constructor(clock: Clock, sweeper: Sweeper) {
    this.#real = createRawExecDriver(clock, sweeper)
    this.#simulated = createSimulatedDriver(clock)
  }

  note(nodeId: string, options: CompleteNodeOptions): void {
    this.#options.set(nodeId, options)
  }

  /** Simulated nodes of an earlier process whose player is gone. */
  missing(state: State): string[] {
    return [...state.tables.node.rows.values()]
      .filter((node) => node.Attributes[SIMULATED] && !this.#options.has(node.ID))
      .map((node) => node.ID)
  }

  /** Only a node that is not simulated, and only `raw_exec`, runs anything for real. */
  driver(nodeId: string, name: string): Driver {
    const simulate = this.#options.get(nodeId)?.simulate
    const simulated = this.#simulated
    if (simulate === undefined) return name === 'raw_exec' ? this.#real : simulated
    return {
      ...simulated,
      start: (launch) =>
        simulated.start({ ...launch, config: { ...simulate(launch.allocation.Job) } }),
    }
  }
}
