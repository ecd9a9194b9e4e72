/** Finds and kills what a job left behind where there is no cgroup: by a mark in its environment. */
import { readdir, readFile } from 'node:fs/promises'
import { type Clock, sleep } from '../../platform/index.ts'

/** A process that forks while it is being killed is caught in a later round. */
const ROUNDS_MAX = 50
const ROUND_PAUSE_MS = 20

/**
 * Kills every process that was started with `name=value` in its environment.
 *
 * @returns false when the machine has no /proc to search, or when new ones kept coming.
 */
export async function killMarked(
  mark: { name: string; value: string },
  clock: Clock,
): Promise<boolean> {
  const needle = Buffer.from(`\0${mark.name}=${mark.value}\0`)
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const pids = await findMarked(needle)
    if (pids === null) return false
    if (pids.length === 0) return true
    for (const pid of pids) killOne(pid)
    await sleep(clock, ROUND_PAUSE_MS)
  }
  return false
}

async function findMarked(needle: Buffer): Promise<number[] | null> {
  const entries = await readdir('/proc').catch(() => null)
  if (entries === null) return null
  const found: number[] = []
  for (const entry of entries) {
    if (!/^\d+$/.test(entry)) continue
    // Processes come and go, and those of other users are not ours to read.
    const environ = await readFile(`/proc/${entry}/environ`).catch(() => null)
    if (environ === null || environ.length === 0) continue
    if (Buffer.concat([ZERO, environ, ZERO]).includes(needle)) found.push(Number(entry))
  }
  return found
}

const ZERO = Buffer.from([0])

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}
