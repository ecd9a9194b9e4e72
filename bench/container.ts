/** A job of three steps in a container, against `docker run` of the same three commands. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { installCaravan } from '../scripts/package.ts'
import { runAgent } from './agent/agent.ts'
import { machineMs } from './agent/machine.ts'
import { startServer } from './agent/server.ts'
import type { Bench } from './harness/bench.ts'

const run = promisify(execFile)

const ROUNDS = 15
const WARMUPS = 2
const IMAGE = 'caravan-example/app:latest'
const MAKE_IMAGES = fileURLToPath(new URL('../scripts/example-images.sh', import.meta.url))
/** Short, so that what is measured is what lies around them. */
const COMMANDS = ['echo one > /tmp/file', 'test -s /tmp/file', 'cat /tmp/file'] as const

export const container: Bench = {
  name: 'container',
  against:
    '`docker run --rm` of the same three commands, the image present: once for all, and once for each',
  reach: 'nothing; it tells what a job costs beside its commands',
  async run({ clock, dir, interleave }) {
    await run('bash', [MAKE_IMAGES])
    const launcher = await installCaravan(join(dir, 'installed'))
    const server = await startServer({ dataDir: join(dir, 'data'), launcher, clock })
    try {
      const { job, once, each } = await interleave(
        {
          once: async () => await timed(() => dockerRun(COMMANDS.join(' && '))),
          job: async () => {
            const ran = await runAgent({
              server,
              job: { commands: COMMANDS, image: IMAGE },
              dir,
              clock,
            })
            return ran.endedMs - ran.startedMs
          },
          each: async () =>
            await timed(async () => {
              for (const command of COMMANDS) await dockerRun(`${command} || true`)
            }),
        },
        { rounds: ROUNDS, warmups: WARMUPS, unit: 'ms' },
      )
      return {
        ratio: job.ratioTo(each),
        missed: [],
        figures: {
          job_ms: job.median,
          run_ms: once.median,
          three_runs_ms: each.median,
          overhead_ms: job.with(once, (own, other) => own - other).median,
          overhead_of_three_ms: job.with(each, (own, other) => own - other).median,
        },
      }
    } finally {
      await server.close()
    }
  },
}

async function dockerRun(command: string): Promise<void> {
  await run('docker', [
    'run',
    '--rm',
    '--init',
    IMAGE,
    '/bin/bash',
    '-eo',
    'pipefail',
    '-c',
    command,
  ])
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = machineMs()
  await work()
  return machineMs() - startedMs
}
