/** From the start of the agent's process to its first step, against a Node.js that does nothing. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Bench } from './harness/bench.ts'
import { Samples } from './harness/samples.ts'
import { type AgentRun, runAgent } from './agent/agent.ts'
import { installCaravan } from '../scripts/package.ts'
import { machineMs } from './agent/machine.ts'
import { createMarker } from './agent/marker.ts'
import { startServer } from './agent/server.ts'

const BEYOND_MS_MAX = 150
const ROUNDS = 20
const WARMUPS = 2

export const agentStart: Bench = {
  name: 'agent-start',
  against: '`node -e 0` from its start to its end',
  reach: `the first step runs at most ${BEYOND_MS_MAX} ms later`,
  async run({ clock, dir, interleave, table }) {
    const launcher = await installCaravan(join(dir, 'installed'))
    const server = await startServer({ dataDir: join(dir, 'data'), launcher, clock })
    const marker = await createMarker(join(dir, 'marker'))
    const runs: AgentRun[] = []
    try {
      const { agent, node } = await interleave(
        {
          node: runNode,
          agent: async () => {
            const job = { commands: [`${marker.command}; true`] }
            const run = await runAgent({ server, marker, job, dir, clock })
            runs.push(run)
            return run.markedMs - run.startedMs
          },
        },
        { rounds: ROUNDS, warmups: WARMUPS, unit: 'ms' },
      )
      const counted = runs.slice(WARMUPS)
      table(toPhases(counted))
      const beyondMs = agent.with(node, (own, other) => own - other).median
      const figures = {
        beyond_ms: beyondMs,
        agent_ms: agent.median,
        node_ms: node.median,
        cpu_ms: new Samples(counted.map((run) => run.agent.marked.cpuSeconds * 1000)).median,
        rss_mb: new Samples(counted.map((run) => run.agent.marked.peakRssMb)).median,
      }
      const missed =
        beyondMs <= BEYOND_MS_MAX ? [] : [`the first step runs ${beyondMs.toFixed(0)} ms later`]
      return { ratio: agent.ratioTo(node), missed, figures }
    } finally {
      marker.close()
      await server.close()
    }
  },
}

async function runNode(): Promise<number> {
  const startedMs = machineMs()
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('exit', resolve))
  return machineMs() - startedMs
}

/** What came when, as the server and the step saw it; medians, from the start of the process. */
function toPhases(runs: readonly AgentRun[]): { phase: string; 'ms from start': number }[] {
  const calls = ['claim', 'accept', 'step_started'].map((name) => ({
    phase: `${name} arrives`,
    at: (run: AgentRun) => run.report.firstMs[name] ?? Number.NaN,
  }))
  return [...calls, { phase: 'the step runs', at: (run: AgentRun) => run.markedMs }].map(
    ({ phase, at }) => ({
      phase,
      'ms from start': new Samples(runs.map((run) => at(run) - run.startedMs)).median,
    }),
  )
}
