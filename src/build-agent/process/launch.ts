/** One command of a step: a process group of its own, whose output goes to the step's pipe. */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { CaravanError } from '../../model/index.ts'
import { type Clock, sleep } from '../../platform/index.ts'
import type { Environment } from '../environment.ts'
import { isGroupAlive, signalGroup } from './group.ts'

export interface Command {
  argv: readonly string[]
  cwd: string
  env: Environment
}

export interface CommandExit {
  /** 128 + N when signal N ended it. Null when it could not be ended at all. */
  exitCode: number | null
  signal: string | null
}

export interface RunningCommand {
  /** Of the first process, and of its group. */
  readonly pid: number
  readonly exited: Promise<CommandExit>
  /** TERM to the group, and KILL to what is left after the grace or as soon as it gets urgent. */
  stop(how: { graceMs: number; urgent: AbortSignal }): Promise<void>
}

export interface LaunchOptions {
  /** Stdout and stderr. */
  outputFd: number
  /** File of a cgroup that the command joins before anything else. */
  cgroupProcs: string | null
  clock: Clock
  /** How long to wait for a process that was killed. */
  killedMs: number
}

/**
 * Joins the cgroup and becomes the command, so that nothing the command starts can be outside. The shell
 * also gives the usual 126 and 127 for a program that can not be run or found. Where memory runs out it is
 * the step that the kernel takes first, and not the agent, which has to tell of it.
 */
const LAUNCHER = [
  'procs=$1; shift; [ -z "$procs" ] || { echo 0 > "$procs"; } 2> /dev/null',
  '{ echo 500 > /proc/self/oom_score_adj; } 2> /dev/null',
  'exec "$@"',
].join('; ')
/** Whose complaint it is when the program can not be run. */
const LAUNCHER_NAME = 'caravan'
const GROUP_POLL_MS = 50

/** @throws CaravanError INTERNAL when the machine can not start one more process. */
export async function launch(command: Command, options: LaunchOptions): Promise<RunningCommand> {
  const args = ['-c', LAUNCHER, LAUNCHER_NAME, options.cgroupProcs ?? '', ...command.argv]
  const child = spawn('/bin/sh', args, {
    cwd: command.cwd,
    env: command.env,
    // Stdin is empty, so that a prompt ends at once and does not hang the build.
    stdio: ['ignore', options.outputFd, options.outputFd],
    // A session of its own: no terminal, and a group that can be signalled as a whole.
    detached: true,
  })
  const exited = new Promise<CommandExit>((resolve) => {
    child.once('exit', (code, signal) => resolve(toExit(code, signal)))
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) =>
      reject(new CaravanError('INTERNAL', 'a command could not be started', { cause })),
    )
  })
  return watch(child, exited, options)
}

function watch(
  child: ChildProcess,
  exited: Promise<CommandExit>,
  options: LaunchOptions,
): RunningCommand {
  const { clock } = options
  const pid = child.pid ?? 0
  const stuck = Promise.withResolvers<CommandExit>()
  const settled = Promise.race([exited, stuck.promise])
  const gone = new AbortController()
  void settled.then(() => gone.abort())
  return {
    pid,
    exited: settled,
    async stop({ graceMs, urgent }) {
      signalGroup(pid, 'SIGTERM')
      const killAtMs = clock.monotonic() + graceMs
      // The first process may be gone long before those that it started have put their things away.
      while ((await isGroupAlive(pid)) && !urgent.aborted && clock.monotonic() < killAtMs) {
        await sleep(clock, GROUP_POLL_MS, urgent)
      }
      signalGroup(pid, 'SIGKILL')
      await sleep(clock, options.killedMs, gone.signal)
      // One that even this does not end must not keep the agent from ending.
      child.unref()
      stuck.resolve({ exitCode: null, signal: 'SIGKILL' })
    },
  }
}

function toExit(code: number | null, signal: NodeJS.Signals | null): CommandExit {
  if (signal === null) return { exitCode: code, signal: null }
  return { exitCode: 128 + (constants.signals[signal] ?? 0), signal }
}
