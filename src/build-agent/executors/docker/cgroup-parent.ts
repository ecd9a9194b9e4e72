/**
 * The control group around all containers of a job: together they get what the resource class has.
 *
 * Only the engine's own way of making groups (`cgroupfs`) lets us make one around them; with systemd, and
 * where we may not, each container is limited for itself.
 */
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface ParentLimits {
  memoryBytes: number
  vcpu: number
  pids: number
}

export interface CgroupParent {
  /** As Docker wants it named. */
  readonly path: string
  /** @returns false when something still runs in it. */
  remove(): Promise<boolean>
}

const FOLDER = 'caravan'
/** What the kernel divides processor time by. */
const PERIOD_US = 100_000

/** @param proc where this machine tells of its mounts. @returns null where there can be none. */
export async function createCgroupParent(
  name: string,
  limits: ParentLimits,
  proc = '/proc/self',
): Promise<CgroupParent | null> {
  const mounts = await readFile(join(proc, 'mounts'), 'utf8').catch(() => '')
  const places = toPlaces(mounts, limits)
  if (places === null) return null
  const folders: string[] = []
  const remove = async () => {
    const removed = await Promise.all(folders.map(removeTree))
    return removed.every(Boolean)
  }
  try {
    for (const { root, files, controllers } of places) {
      const top = join(root, FOLDER)
      const folder = join(top, name)
      await mkdir(top, { recursive: true })
      for (const above of controllers === '' ? [] : [root, top]) {
        await writeFile(join(above, 'cgroup.subtree_control'), controllers)
      }
      await mkdir(folder)
      folders.push(folder)
      for (const [file, value] of Object.entries(files)) await writeFile(join(folder, file), value)
    }
  } catch {
    // Not ours to make, or without the controllers: the containers' own limits hold.
    await remove()
    return null
  }
  return { path: `/${FOLDER}/${name}`, remove }
}

interface Place {
  root: string
  files: Readonly<Record<string, string>>
  /** To hand down to groups below, in version 2. */
  controllers: string
}

/** Where both versions are mounted, the controllers belong to the first. */
function toPlaces(mounts: string, { memoryBytes, vcpu, pids }: ParentLimits): Place[] | null {
  const quota = String(Math.round(vcpu * PERIOD_US))
  const first = {
    memory: { 'memory.limit_in_bytes': String(memoryBytes) },
    cpu: { 'cpu.cfs_period_us': String(PERIOD_US), 'cpu.cfs_quota_us': quota },
    pids: { 'pids.max': String(pids) },
  }
  const places = Object.entries(first).flatMap(([controller, files]) => {
    const pattern = new RegExp(`^\\S+ (\\S+) cgroup (?:\\S*,)?${controller}(?:,| )`, 'm')
    const root = pattern.exec(mounts)?.[1]
    return root === undefined ? [] : [{ root, files, controllers: '' }]
  })
  if (places.length > 0) return places.length === Object.keys(first).length ? places : null
  const root = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1]
  if (root === undefined) return null
  const files = {
    'memory.max': String(memoryBytes),
    'cpu.max': `${quota} ${PERIOD_US}`,
    'pids.max': String(pids),
  }
  return [{ root, files, controllers: '+memory +cpu +pids' }]
}

/** Docker removes the groups of its containers itself; only ours is left, and it is empty then. */
async function removeTree(folder: string): Promise<boolean> {
  return await rmdir(folder).then(
    () => true,
    (cause: NodeJS.ErrnoException) => cause.code === 'ENOENT',
  )
}
