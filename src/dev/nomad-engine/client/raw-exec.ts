/**
 * Real processes, run as the engine's own user, as Nomad's raw_exec does.
 *
 * Every task has a small shell beside it that waits for it and writes down how it ended. Both are
 * detached: they outlive this process, and the next one finds them by the shell's pid and start time.
 */
import { spawn } from 'node:child_process'
import { accessSync, closeSync, constants, readFileSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { sleep } from '../../../platform/index.ts'
import type { Clock, Timer } from '../../../platform/index.ts'
import type { TaskHandle } from '../state/rows.ts'
import type { Driver, Launch, RunningTask, StartOutcome, TaskExit } from './driver.ts'
import { createFolders } from './folders.ts'
import type { TaskFolders } from './folders.ts'
import { logFile, openLog } from './log-files.ts'
import { isChildOf, isRunning, readSessionUsage, readStartTime, sendSignal } from './processes.ts'
import { DEFAULT_KILL_SIGNAL, toExitSignal, toSignalNumber } from './signals.ts'
import type { TaskMark } from './processes.ts'
import type { Sweeper } from './sweeper.ts'

/**
 * Waits for a word first: only after the engine has noted its pid may anything of the user's run, or a
 * crash in between would start the task a second time. File descriptor 3 is the task's stderr.
 */
const SUPERVISOR = `
read -r word || exit 0
sh -c 'echo $$ > "$0/pid"; exec "$@"' "$@" < /dev/null 2>&3 3>&-
echo $? > "$1/exit"
`

/** The shell needs a few milliseconds until it has written the task's pid down. */
const PID_POLL_MS = 5
const PID_POLLS_MAX = 400

/** How often a task that was found again is looked at: nobody tells us of its end. */
const RECOVERED_POLL_MS = 100

const config = z.strictObject({
  command: z.string(),
  args: z.array(z.coerce.string()).nullish(),
  work_dir: z.string().nullish(),
})

export function createRawExecDriver(clock: Clock, sweeper: Sweeper): Driver {
  return {
    keepsFiles: true,
    start: (launch) => start(clock, sweeper, launch),
    recover: ({ folders }, handle) => recover(clock, sweeper, folders, handle),
  }
}

async function start(clock: Clock, sweeper: Sweeper, launch: Launch): Promise<StartOutcome> {
  const parsed = config.safeParse(launch.config)
  if (!parsed.success) {
    return { ok: false, type: 'Failed Validation', message: describeConfig(parsed.error) }
  }
  const { folders, environment } = launch
  createFolders(folders)
  const command = findCommand(parsed.data.command, folders.task, environment['PATH'] ?? '')
  if (command === null) {
    const message = `failed to launch command with executor: binary "${parsed.data.command}" could not be found`
    return { ok: false, type: 'Driver Failure', message }
  }
  // Of an earlier start of the same task: nothing of it may be taken for this one's.
  for (const name of ['pid', 'exit']) rmSync(join(folders.run, name), { force: true })
  const stdout = openLog(logFile(folders.logs, launch.task.Name, 'stdout'))
  const stderr = openLog(logFile(folders.logs, launch.task.Name, 'stderr'))
  const child = spawn(
    '/bin/sh',
    ['-c', SUPERVISOR, 'task', folders.run, command, ...(parsed.data.args ?? [])],
    {
      detached: true,
      cwd: parsed.data.work_dir ? resolve(folders.task, parsed.data.work_dir) : folders.task,
      env: environment,
      stdio: ['pipe', stdout, 'ignore', stderr],
    },
  )
  closeSync(stdout)
  closeSync(stderr)
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  const failure = await new Promise<Error | null>((done) => {
    child.once('error', done)
    child.once('spawn', () => done(null))
  })
  const pid = child.pid
  const startTime = pid === undefined ? null : readStartTime(pid)
  if (failure !== null || pid === undefined || startTime === null) {
    const message = `failed to launch command with executor: ${failure?.message ?? 'it ended at once'}`
    return { ok: false, type: 'Driver Failure', message }
  }
  const handle = { allocation: launch.allocation.ID, task: launch.task.Name, pid, startTime }
  launch.remember(handle)
  const { stdin } = child
  // It may have been killed just now; its exit tells.
  stdin?.on('error', () => undefined)
  stdin?.end('go\n')
  child.unref()
  return { ok: true, running: watch(clock, sweeper, folders, { ...handle, session: pid }, ended) }
}

/** Finds a task that an earlier process started. */
async function recover(
  clock: Clock,
  sweeper: Sweeper,
  folders: TaskFolders,
  handle: TaskHandle,
): Promise<RunningTask | null> {
  if (!(await hasStarted(clock, folders, handle))) return null
  let timer: Timer | null = null
  // Long after its end the number of its session may be another's.
  const session = isRunning(handle.pid, handle.startTime) ? handle.pid : null
  const ended = new Promise<void>((done) => {
    const look = () => {
      if (isRunning(handle.pid, handle.startTime)) timer = clock.after(RECOVERED_POLL_MS, look)
      else done()
    }
    look()
  })
  const running = watch(clock, sweeper, folders, { ...handle, session }, ended)
  return {
    ...running,
    detach() {
      timer?.cancel()
      running.detach()
    },
  }
}

/**
 * The earlier process may have died before it gave the word: then the supervisor ends without having
 * started anything, and starting the task now is its first start, not its second.
 */
async function hasStarted(
  clock: Clock,
  folders: TaskFolders,
  handle: TaskHandle,
): Promise<boolean> {
  const isMarked = () => readNumber(join(folders.run, 'pid')) !== null
  for (;;) {
    const isWaiting = isRunning(handle.pid, handle.startTime)
    if (isMarked()) return true
    if (!isWaiting) return false
    await sleep(clock, PID_POLL_MS)
  }
}

/** @param ended settles when the supervisor is gone, and with it the task. */
function watch(
  clock: Clock,
  sweeper: Sweeper,
  folders: TaskFolders,
  handle: TaskHandle & Pick<TaskMark, 'session'>,
  ended: Promise<void>,
): RunningTask {
  const sent = new Set<number>()
  const timers = new Set<Timer>()
  let isAsked = false
  const later = (delayMs: number, run: () => void) => {
    const timer = clock.after(delayMs, () => {
      timers.delete(timer)
      run()
    })
    timers.add(timer.unref())
  }
  const stopTimers = () => {
    for (const timer of timers) timer.cancel()
    timers.clear()
  }
  const send = (signal: string, tries = PID_POLLS_MAX) => {
    const number = toSignalNumber(signal) || toSignalNumber(DEFAULT_KILL_SIGNAL)
    const pid = readNumber(join(folders.run, 'pid'))
    if (pid !== null && isChildOf(pid, handle.pid)) {
      sent.add(number)
      sendSignal(pid, number)
    } else if (tries > 0) later(PID_POLL_MS, () => send(signal, tries - 1))
  }
  return {
    exit: ended.then(() => {
      stopTimers()
      sweeper.sweep(handle)
      return toExit(readNumber(join(folders.run, 'exit')), sent)
    }),
    kill(signal, timeoutMs) {
      if (isAsked) return
      isAsked = true
      send(signal || DEFAULT_KILL_SIGNAL)
      later(timeoutMs, () => send('SIGKILL'))
    },
    usage: () => readSessionUsage(handle.pid),
    detach: stopTimers,
  }
}

function toExit(code: number | null, sent: ReadonlySet<number>): TaskExit {
  if (code !== null) return { code, signal: toExitSignal(code, sent) }
  const signal = toSignalNumber('SIGKILL')
  return { code: 128 + signal, signal, error: 'the process that waited for the task was killed' }
}

/** @returns null when the file is not there, or not written yet. */
function readNumber(file: string): number | null {
  try {
    const text = readFileSync(file, 'utf8')
    return text.endsWith('\n') ? Number(text) : null
  } catch {
    return null
  }
}

/** As a shell would find it, in the task's folder when it is a relative path. */
function findCommand(command: string, folder: string, path: string): string | null {
  if (command.includes('/')) {
    const file = resolve(folder, command)
    return isExecutable(file) ? file : null
  }
  const places = [join(folder, 'local'), ...path.split(':').filter(Boolean)]
  return places.map((place) => join(place, command)).find(isExecutable) ?? null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** In the words of Nomad's own configuration reader, which operators search for. */
function describeConfig(error: z.ZodError): string {
  const faults = error.issues.map((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return `Unsupported argument: An argument named "${issue.keys.join('", "')}" is not expected here.`
    }
    const name = issue.path.join('.')
    if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
      return `Missing required argument: The argument "${name}" is required, but no definition was found.`
    }
    return `Incorrect attribute value type: Inappropriate value for attribute "${name}": ${issue.message}.`
  })
  return `failed to parse config: ${faults.join(' ')}`
}
