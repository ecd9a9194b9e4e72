/** Finds and kills what a job left behind where there is no cgroup: by a mark in its environment. */
import { readdir, readFile } from 'node:fs/promises'
import { type Clock, sleep } from '../../platform/index.ts'

/** A process that forks while it is being killed is caught in a later round. */
const ROUNDS_MAX = 50
const ROUND_PAUSE_MS = 20
/** On a busy machine somebody always appears. */
const PASSES_MAX = 20
/** Who is still there after so many has taken the signal and can not end, as in a hung disk wait. */
const STUCK_ROUNDS = 15
/** With a hundred thousand processes one look at all of them takes that long; a slice must end all the same. */
const SEARCH_MS = 10_000

/**
 * Kills every process that was started with `name=value` in its environment.
 *
 * @returns false when the machine has no /proc to search, when new ones kept coming, when some did not end,
 *   or when the time was over before all were seen.
 */
export async function killMarked(
  mark: { name: string; value: string },
  clock: Clock,
): Promise<boolean> {
  const lateMs = clock.monotonic() + SEARCH_MS
  const isLate = () => clock.monotonic() >= lateMs
  const needle = Buffer.from(`\0${mark.name}=${mark.value}\0`)
  let before = ''
  let stuck = 0
  for (let round = 0; round < ROUNDS_MAX && stuck < STUCK_ROUNDS; round++) {
    const pids = await killFound(needle, isLate)
    if (pids === null) return false
    if (pids.length === 0) return true
    stuck = pids.join() === before ? stuck + 1 : 0
    before = pids.join()
    await sleep(clock, ROUND_PAUSE_MS)
  }
  return false
}

/**
 * Kills on sight, and looks at whoever appears meanwhile: a process that starts the next one and ends may
 * never stand in the same list as it.
 *
 * @returns null when not all could be looked at.
 */
async function killFound(needle: Buffer, isLate: () => boolean): Promise<number[] | null> {
  const seen = new Set<string>()
  const found: number[] = []
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const entries = await readdir('/proc').catch(() => null)
    if (entries === null) return null
    const fresh = entries.filter((entry) => /^\d+$/.test(entry) && !seen.has(entry))
    if (fresh.length === 0) break
    const unclear: string[] = []
    for (const entry of fresh) {
      if (isLate()) return null
      const isMarked = await hasMark(entry, needle)
      seen.add(entry)
      if (isMarked === null) unclear.push(entry)
      if (isMarked === true) found.push(killOne(Number(entry)))
    }
    for (const entry of unclear) {
      if (await hasMark(entry, needle)) found.push(killOne(Number(entry)))
    }
  }
  return found
}

/** @returns null for what has no environment, as the kernel's own, or for a moment none, as in an exec. */
async function hasMark(entry: string, needle: Buffer): Promise<boolean | null> {
  // Processes come and go, and those of other users are not ours to read.
  const environ = await readFile(`/proc/${entry}/environ`).catch(() => null)
  if (environ === null) return false
  return environ.length === 0 ? null : Buffer.concat([ZERO, environ, ZERO]).includes(needle)
}

const ZERO = Buffer.from([0])

function killOne(pid: number): number {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
  return pid
}
