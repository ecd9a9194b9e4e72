/** Runs steps as processes of this machine, as the user of the agent. */
import { access, constants, stat } from 'node:fs/promises'
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
import type { Executor } from './executor.ts'

export interface HostOptions {
  /** Unlike that of any other slice, also in the past. */
  name: string
  /** Environment of the agent. */
  inherited: Readonly<Record<string, string | undefined>>
  /** Id of the allocation, which the names of groups that are ours alone have in them. */
  allocationId: string
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
    async start(command, outputFd) {
      const running = await launch(command, {
        outputFd,
        cgroupProcs: cgroup?.procsFile ?? null,
        clock,
        killedMs: timings.killedMs,
      })
      groups.add(running.pid)
      return running
    },
    isFolder: async (path) =>
      await stat(path).then(
        (entry) => entry.isDirectory(),
        () => false,
      ),
    countOomKills,
    sweep: sweepAll,
    async close() {
      await sweepAll()
      watchdog.release()
    },
  }
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
