/** Runs steps as processes of this machine, as the user of the agent. */
import { access, constants, mkdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { CaravanError } from '../../model/index.ts'
import { type Clock, exec, type Log } from '../../platform/index.ts'
import { cleanHostEnvironment, type Environment, MARKER_NAME } from '../environment.ts'
import { createCgroup, type Cgroup } from '../process/cgroup.ts'
import { signalGroup } from '../process/group.ts'
import { launch } from '../process/launch.ts'
import { killMarked } from '../process/leftovers.ts'
import { findOomCounter } from '../process/oom.ts'
import { startWatchdog } from '../process/watchdog.ts'
import { defaultShell, type DefaultShell } from '../shell.ts'
import type { AgentTimings } from '../timings.ts'
import { isEmptyFolder } from '../workspace.ts'
import type { Executor, FolderContent } from './executor.ts'

export interface HostOptions {
  /** Unlike that of any other slice, also in the past. */
  name: string
  /** Environment of the agent. */
  inherited: Readonly<Record<string, string | undefined>>
  /** Id of the allocation, which the names of groups that are ours alone have in them. */
  allocationId: string
  /** Of the steps. */
  home: string
  /** Appears when a step asks the job to end early. */
  haltFile: string
  /** What marks the processes of this job. */
  internalDir: string
  clock: Clock
  log: Log
  timings: AgentTimings
}

const PROBE_TIMEOUT_MS = 10_000

export async function createHostExecutor(options: HostOptions): Promise<Executor> {
  const { clock, log, timings, internalDir } = options
  const environment = cleanHostEnvironment(options.inherited)
  const [cgroup, shell, countOomKills] = await Promise.all([
    createCgroup({ name: options.name, clock, killedMs: timings.killedMs }),
    probeShell(environment),
    findOomCounter(options.allocationId),
  ])
  const groups = new Set<number>()
  const watchdog = startWatchdog({
    cgroup: cgroup?.folder ?? null,
    mark: `${MARKER_NAME}=${internalDir}`,
  })
  const sweepAll = async () => sweep({ cgroup, groups, internalDir, clock, log })
  return {
    environment,
    shell,
    home: options.home,
    pathOf: (file) => file,
    async start(command, output) {
      const running = await launch(command, {
        outputFd: output.fd,
        cgroupProcs: cgroup?.procsFile ?? null,
        clock,
        killedMs: timings.killedMs,
      })
      groups.add(running.pid)
      return running
    },
    ask: async ({ argv, cwd, env }, timeoutMs) => {
      const [file = '', ...args] = argv
      return await exec(file, args, { cwd, env, timeoutMs })
    },
    isFolder: async (path) =>
      await stat(path).then(
        (entry) => entry.isDirectory(),
        () => false,
      ),
    lookInto,
    makeFolder,
    isHalted: async () => await exists(options.haltFile),
    freeBytes,
    countOomKills,
    sweep: sweepAll,
    async close() {
      await sweepAll()
      watchdog.release()
    },
  }
}

async function lookInto(path: string): Promise<FolderContent> {
  if (await exists(join(path, '.git'))) return 'repository'
  return (await isEmptyFolder(path)) ? 'empty' : 'other'
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (cause) {
    throw new CaravanError('INPUT_INVALID', `the working directory ${path} can not be made`, {
      cause,
    })
  }
}

/** The step may have removed its own working directory. */
async function freeBytes(path: string): Promise<number> {
  return await statfs(path).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Number.POSITIVE_INFINITY,
  )
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

/** By cgroup, by mark for what is in none, and by group where there is no /proc to search for the mark. */
async function sweep(job: {
  cgroup: Cgroup | null
  groups: ReadonlySet<number>
  internalDir: string
  clock: Clock
  log: Log
}): Promise<void> {
  const isEmpty = await job.cgroup?.destroy()
  if (isEmpty === false) job.log.warn('the cgroup of the job can not be removed')
  if (await killMarked({ name: MARKER_NAME, value: job.internalDir }, job.clock)) return
  job.log.warn('processes of the job may be left')
  for (const group of job.groups) signalGroup(group, 'SIGKILL')
}

async function probeShell(environment: Environment): Promise<DefaultShell> {
  const hasBash = await access('/bin/bash', constants.X_OK).then(
    () => true,
    () => false,
  )
  if (hasBash) return defaultShell({ hasBash, shKnowsPipefail: false })
  const probe = await exec('/bin/sh', ['-c', 'set -o pipefail'], {
    env: environment,
    timeoutMs: PROBE_TIMEOUT_MS,
  })
  return defaultShell({ hasBash, shKnowsPipefail: probe.code === 0 })
}
