/**
 * A control group for everything that a job starts.
 *
 * Only version 2 can kill a group in one go, races with fork included. Where it is missing or not ours to
 * use, leftovers are searched for instead.
 */
import {
  access,
  constants,
  mkdir,
  readdir,
  readFile,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, sleep } from '../../platform/index.ts'

export interface Cgroup {
  readonly folder: string
  /** Who writes 0 to it joins the group. */
  readonly procsFile: string
  /** Kills all members and removes the group. @returns false when some would not go. */
  destroy(): Promise<boolean>
}

export interface CgroupPlace {
  name: string
  clock: Clock
  /** How long members may take to die. */
  killedMs: number
}

const PREFIX = 'caravan-'
/** Empty groups of other agents that are older are removed. Longer than an agent needs from making its group to putting its watchdog into it. */
const STALE_MS = 60_000

const POLL_MS = 20

/** @returns null where there is no cgroup v2 that we may use. */
export async function createCgroup(place: CgroupPlace): Promise<Cgroup | null> {
  const { name, clock, killedMs } = place
  const parent = await findOwnCgroup()
  if (parent === null) return null
  await removeStale(parent, clock.now() - STALE_MS)
  const folder = join(parent, `${PREFIX}${name}`)
  try {
    await mkdir(folder)
    // Kernels before 5.14 have no such file.
    await access(join(folder, 'cgroup.kill'), constants.W_OK)
    await access(join(folder, 'cgroup.procs'), constants.W_OK)
  } catch {
    await rmdir(folder).catch(() => undefined)
    return null
  }
  return {
    folder,
    procsFile: join(folder, 'cgroup.procs'),
    async destroy() {
      const giveUpMs = clock.monotonic() + killedMs
      while (clock.monotonic() < giveUpMs) {
        // Each time: who was about to join, as a watchdog that has just started, joins after the first. Fails
        // when the group is gone already, which is found out next.
        await writeFile(join(folder, 'cgroup.kill'), '1').catch(() => undefined)
        // Removing succeeds once the last member is gone, zombies aside.
        if (await removed(folder)) return true
        await sleep(clock, POLL_MS)
      }
      return false
    },
  }
}

/**
 * Groups stay behind when an agent and its watchdog are killed together. One that is in use can not be
 * removed, and a watchdog keeps its group in use as long as its agent lives.
 */
async function removeStale(parent: string, madeBeforeMs: number): Promise<void> {
  for (const entry of await readdir(parent).catch(() => [])) {
    if (!entry.startsWith(PREFIX)) continue
    const folder = join(parent, entry)
    const made = await stat(folder).catch(() => null)
    if (made !== null && made.mtimeMs <= madeBeforeMs) await removed(folder)
  }
}

async function removed(folder: string): Promise<boolean> {
  return await rmdir(folder).then(
    () => true,
    (cause: NodeJS.ErrnoException) => cause.code === 'ENOENT',
  )
}

/** Our own group in the version 2 hierarchy, wherever that is mounted. */
async function findOwnCgroup(): Promise<string | null> {
  try {
    const [mounts, membership] = await Promise.all([
      readFile('/proc/self/mounts', 'utf8'),
      readFile('/proc/self/cgroup', 'utf8'),
    ])
    const mount = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1]
    const path = /^0::(\/.*)$/m.exec(membership)?.[1]
    return mount === undefined || path === undefined ? null : join(mount, path)
  } catch {
    // Not Linux, or no /proc.
    return null
  }
}
