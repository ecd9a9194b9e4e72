/**
 * Ends the processes of a job whose agent was killed.
 *
 * The server gives such a slice to another agent, and what the first has started must not go on beside it.
 * Nothing can be done by a process that is killed, so a second one, which only waits for the end of a pipe,
 * does it.
 */
import { spawn } from 'node:child_process'

export interface Watchdog {
  /** The job is over and swept. */
  release(): void
}

export interface WatchedJob {
  /** Folder of the job's cgroup. */
  cgroup: string | null
  /** `NAME=value` in the environment of every process of the job. */
  mark: string
}

/**
 * A line means that all is well, the end of the pipe that the agent is gone. Being a member keeps the cgroup
 * in use; it is left before it is killed. The mark is searched for with a cgroup too: it finds what could
 * not join.
 */
const SCRIPT = `
trap '' TERM INT HUP
[ -z "$0" ] || echo 0 > "$0/cgroup.procs"
read -r line && exit 0
[ -z "$0" ] || { echo 0 > "$0/../cgroup.procs"; echo 1 > "$0/cgroup.kill"; }
for round in 1 2 3; do
  for file in $(grep -lzxFe "$1" /proc/[0-9]*/environ); do
    process=\${file%/environ}
    kill -KILL "\${process#/proc/}"
  done
  [ -z "$0" ] || rmdir "$0"
  sleep 0.2
done
`

export function startWatchdog({ cgroup, mark }: WatchedJob): Watchdog {
  const child = spawn('/bin/sh', ['-c', SCRIPT, cgroup ?? '', mark], {
    // Its own environment has no mark, or it would end itself first.
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    // Out of reach of what is sent to the agent's group.
    detached: true,
  })
  // Without it a job still ends in every way but one.
  child.on('error', () => undefined)
  child.stdin.on('error', () => undefined)
  child.unref()
  return { release: () => void child.stdin.end('over\n') }
}
