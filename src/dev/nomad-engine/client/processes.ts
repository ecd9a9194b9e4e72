/** Processes of this machine: who still runs, since when, and on whose behalf. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'

/** The kernel's view of processes; other systems are asked through `ps`. */
const HAS_PROC = existsSync('/proc/self/stat')

/** Linux counts processor time in hundredths of a second, whatever the machine. */
const MS_PER_TICK = 10

/** Nor does the page size that tools assume ever differ on the machines Caravan runs on. */
const PAGE_BYTES = 4096

interface ProcessStat {
  pid: number
  parent: number
  session: number
  startTime: string
  userMs: number
  systemMs: number
  memoryBytes: number
}

/** @returns when the process started, in units that only equal themselves; null when there is none. */
export function readStartTime(pid: number): string | null {
  if (HAS_PROC) return readStat(pid)?.startTime ?? null
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    return text.trim() || null
  } catch {
    // ps exits with 1 when there is no such process.
    return null
  }
}

/** True for this very process, not for another that got its number later. */
export function isRunning(pid: number, startTime: string): boolean {
  return readStartTime(pid) === startTime
}

/** True when the process was started by the other one, as far as this system tells. */
export function isChildOf(pid: number, parent: number): boolean {
  return !HAS_PROC || readStat(pid)?.parent === parent
}

/** @returns false when there is no such process (any more). */
export function sendSignal(pid: number, signal: NodeJS.Signals | number): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** What the processes of one session use together; null where the system does not tell. */
export function readSessionUsage(
  session: number,
): { memoryBytes: number; userMs: number; systemMs: number } | null {
  if (!HAS_PROC) return null
  const total = { memoryBytes: 0, userMs: 0, systemMs: 0 }
  for (const stat of listProcesses()) {
    if (stat.session !== session) continue
    total.memoryBytes += stat.memoryBytes
    total.userMs += stat.userMs
    total.systemMs += stat.systemMs
  }
  return total
}

export interface TaskMark {
  allocation: string
  task: string
  /** The session it started in; null when the number may belong to somebody else by now. */
  session: number | null
}

/**
 * Names the tasks on whose behalf a process runs, in its environment.
 *
 * There is more than one where a task starts an engine of its own, as a build of Caravan does: when the
 * outer task ends, what the inner ones left behind ends too.
 */
export const TASK_CHAIN = 'CARAVAN_TASK_CHAIN'

export function toTaskMark(allocation: string, task: string): string {
  return `${allocation}/${task}`
}

/**
 * Processes that belong to one of these tasks: of its session, or started with its environment.
 *
 * The second finds what made itself a session of its own, as daemons do.
 */
export function findTaskProcesses(tasks: readonly TaskMark[]): number[] {
  if (tasks.length === 0) return []
  const sessions = new Set(tasks.flatMap((mark) => mark.session ?? []))
  // A negative number means the whole process group, which is as far as other systems let us look.
  if (!HAS_PROC) return [...sessions].map((pid) => -pid).filter((pid) => sendSignal(pid, 0))
  const marks = new Set(tasks.map(({ allocation, task }) => toTaskMark(allocation, task)))
  return [...listProcesses()]
    .filter(({ pid, session }) => sessions.has(session) || readMarks(pid).some((m) => marks.has(m)))
    .map(({ pid }) => pid)
    .filter((pid) => pid !== process.pid)
}

/** The tasks of a process, as its environment at start says. */
function readMarks(pid: number): string[] {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    // It ended meanwhile, or it is somebody else's.
    return []
  }
  const variable = text.split('\0').find((each) => each.startsWith(`${TASK_CHAIN}=`))
  return variable?.slice(TASK_CHAIN.length + 1).split(' ') ?? []
}

function* listProcesses(): Iterable<ProcessStat> {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readStat(Number(name))
    if (stat !== null) yield stat
  }
}

/** @see proc_pid_stat(5) */
function readStat(pid: number): ProcessStat | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  // The program's name stands in parentheses and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const read = (position: number) => Number(fields[position - 3])
  if (fields[0] === 'Z' || fields[0] === 'X') return null
  return {
    pid,
    parent: read(4),
    session: read(6),
    userMs: read(14) * MS_PER_TICK,
    systemMs: read(15) * MS_PER_TICK,
    startTime: fields[22 - 3] ?? '',
    memoryBytes: read(24) * PAGE_BYTES,
  }
}
