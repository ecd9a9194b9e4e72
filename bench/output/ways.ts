/** The ways on which the same bytes go: through Caravan, to a file, through Nomad. */
import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installCaravan } from '../../scripts/package.ts'
import type { Clock } from '../../src/platform/index.ts'
import { type AgentRun, runAgent } from '../agent/agent.ts'
import { machineMs } from '../agent/machine.ts'
import type { Marker } from '../agent/marker.ts'
import { startServer } from '../agent/server.ts'
import { followLogs } from '../nomad/follow-logs.ts'
import type { NomadAgent } from '../nomad/nomad-agent.ts'
import { makePiece, PIECE_BYTES, SECRETS } from './piece.ts'

export interface Ways {
  /** With a server of its own. @throws Error when a byte is lost or a secret gets through. */
  throughCaravan(pieces: number): Promise<AgentRun>
  /** @returns milliseconds. */
  toFile(pieces: number): Promise<number>
  /** @returns milliseconds. */
  throughNomad(nomad: NomadAgent, pieces: number): Promise<number>
}

const run = promisify(execFile)

export async function prepareWays(dir: string, marker: Marker, clock: Clock): Promise<Ways> {
  const piece = makePiece()
  const file = join(dir, 'piece')
  await writeFile(file, piece.bytes)
  const files = (pieces: number) => Array.from({ length: pieces }, () => file)
  const launcher = await installCaravan(join(dir, 'installed'))
  let count = 0
  return {
    async throughCaravan(pieces) {
      const folder = join(dir, `caravan-${count++}`)
      await mkdir(folder)
      const server = await startServer({ dataDir: join(folder, 'data'), launcher, clock })
      try {
        const job = { commands: [`${marker.command}; cat '${files(pieces).join("' '")}'`] }
        const agent = { server, marker, job, secrets: SECRETS, dir: folder, clock }
        const ended = await runAgent(agent)
        checkArrived(ended, piece.maskedLength * pieces)
        return ended
      } finally {
        await server.close()
        await rm(folder, { recursive: true })
      }
    },
    async toFile(pieces) {
      const copy = join(dir, 'copy')
      const script = 'to="$0"; exec cat "$@" > "$to"'
      const startedMs = machineMs()
      await run('/bin/sh', ['-c', script, copy, ...files(pieces)])
      const elapsedMs = machineMs() - startedMs
      await rm(copy)
      return elapsedMs
    },
    async throughNomad(nomad, pieces) {
      const name = `print-${count++}`
      const bytes = pieces * PIECE_BYTES
      return await followLogs(nomad, name, { files: files(pieces), bytes, go: join(dir, name) })
    },
  }
}

/** Nothing is fast that loses bytes. */
function checkArrived({ report }: AgentRun, length: number): void {
  const [step] = report.outputs
  if (step === undefined) throw new Error('the step has no output')
  const { announced, stored } = step
  if (stored.length !== length) throw new Error(`${stored.length} of ${length} bytes arrived`)
  if (stored.sha256 !== announced.sha256) throw new Error('what arrived is not what was sent')
}
