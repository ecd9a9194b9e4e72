/** A real Nomad agent in the place of the embedded engine: one node, and no hooks but its process. */
import { startAgent } from '../../conformance/agent.ts'
import type { EngineFaults } from '../../support/engine/faults.ts'
import type { EngineProcess } from '../../support/engine/process.ts'

export interface RealNomadOptions {
  name: string
  environment: Record<string, string>
  meta: Record<string, string>
  /** For so many medium slices. */
  cpuMhz: number
  memoryMiB: number
}

/** @param nomad path of the program. */
export async function startRealNomad(
  nomad: string,
  { name, environment, meta, cpuMhz, memoryMiB }: RealNomadOptions,
): Promise<{ engine: EngineProcess; dataDir: string }> {
  const client = { meta, cpu_total_compute: cpuMhz, memory_total_mb: memoryMiB }
  const agent = await startAgent(nomad, { name, environment, client })
  const missing = async () => {
    throw new Error('a real Nomad has no such hook')
  }
  const done = async () => undefined
  const faults: EngineFaults = {
    onCalls: missing,
    clear: done,
    hitCount: async () => 0,
    cutStreams: missing,
    freeze: async () => void agent.process().kill('SIGSTOP'),
    thaw: async () => void agent.process().kill('SIGCONT'),
    loseNode: missing,
    restoreNode: done,
    killTasks: missing,
  }
  const engine: EngineProcess = {
    url: agent.url,
    get pid() {
      return agent.process().pid ?? 0
    },
    faults,
    kill: () => agent.kill(),
    restart: () => agent.restart(),
    close: () => agent.stop(),
  }
  return { engine, dataDir: agent.dataDir }
}
