/**
 * Tells that the kernel killed for want of memory. An exit code of 137 does not: any KILL gives it, and a
 * build tool whose compiler was killed ends with a code of its own.
 *
 * The control group of the agent counts, in both versions, what was killed in it and in groups below it.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface OomKills {
  count: number
  /** The group belongs to the allocation, so nobody else's processes are counted. */
  isOurs: boolean
}

export type OomCounter = () => Promise<OomKills | null>

/**
 * @param proc where the kernel tells of the agent's own process.
 * @param member the same of the process whose group counts.
 */
export async function findOomCounter(
  allocationId: string,
  proc = '/proc/self',
  member = proc,
): Promise<OomCounter> {
  const [mounts, membership] = await Promise.all(
    [join(proc, 'mounts'), join(member, 'cgroup')].map(readText),
  )
  const file = toCounterFile(mounts ?? '', membership ?? '')
  if (file === null) return async () => null
  const isOurs = allocationId !== '' && file.includes(allocationId)
  return async () => {
    const count = /^oom_kill (\d+)$/m.exec((await readText(file)) ?? '')?.[1]
    return count === undefined ? null : { count: Number(count), isOurs }
  }
}

/** Where both versions are mounted, memory belongs to the first. */
function toCounterFile(mounts: string, membership: string): string | null {
  const first = /^\S+ (\S+) cgroup (?:\S*,)?memory(?:,| )/m.exec(mounts)?.[1]
  const inFirst = /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(\/.*)$/m.exec(membership)?.[1]
  if (first !== undefined && inFirst !== undefined) {
    return join(first, inFirst, 'memory.oom_control')
  }
  const second = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1]
  const inSecond = /^0::(\/.*)$/m.exec(membership)?.[1]
  if (second === undefined || inSecond === undefined) return null
  return join(second, inSecond, 'memory.events')
}

async function readText(file: string): Promise<string | null> {
  return await readFile(file, 'utf8').catch(() => null)
}
