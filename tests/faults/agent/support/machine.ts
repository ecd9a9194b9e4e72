/** What the machine itself must give for a fault: a limit of memory, a small disk, a frozen process. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/**
 * A test that this machine can not run says so, and is a failure where nothing may be left out.
 *
 * @returns false, to be returned.
 */
export function leaveOut(t: Test, why: string): false {
  if (process.env['CI'] === 'true') t.fail(`left out: ${why}`)
  else t.comment(`LEFT OUT: ${why}`)
  return false
}

export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** @returns the path of a file system of so many bytes; null when this user can not mount one. */
export function mountDisk(t: Test, size: string): string | null {
  if (!isRoot()) return null
  const path = mkdtempSync(join(tmpdir(), 'caravan-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'caravan-test', path])
  t.teardown(() => {
    execFileSync('umount', ['--lazy', path])
    rmdirSync(path)
  })
  return path
}

/** Words that start a program inside a group of this machine. */
export function inGroup(folder: string): string[] {
  return ['/bin/sh', '-c', 'echo $$ > "$0/cgroup.procs"; exec "$@"', folder]
}

/** @returns the folder of a control group with so much memory; null where none can be made. */
export function limitMemory(t: Test, name: string, bytes: number): string | null {
  const first = makeGroup(t, { controller: 'memory', name })
  if (first !== null) {
    writeFileSync(join(first, 'memory.limit_in_bytes'), String(bytes))
    return first
  }
  const second = makeGroup(t, { controller: null, name })
  if (second === null || !existsSync(join(second, 'memory.max'))) return null
  writeFileSync(join(second, 'memory.max'), String(bytes))
  if (existsSync(join(second, 'memory.swap.max'))) {
    writeFileSync(join(second, 'memory.swap.max'), '0')
  }
  return second
}

/**
 * @returns a group whose members do not even die while it is frozen, which only version 1 has; null where
 *   this user can neither find nor mount one.
 */
export function makeFreezer(t: Test, name: string): { freeze(pid: number): void } | null {
  const folder = makeGroup(t, { controller: 'freezer', name }) ?? mountFreezer(t, name)
  if (folder === null) return null
  const set = (state: string) => writeFileSync(join(folder, 'freezer.state'), state)
  t.teardown(() => set('THAWED'))
  return {
    freeze(pid) {
      writeFileSync(join(folder, 'cgroup.procs'), String(pid))
      set('FROZEN')
    },
  }
}

/** Where the machine uses version 2 alone, the kernel still has the freezer of version 1 for who mounts it. */
function mountFreezer(t: Test, name: string): string | null {
  if (!isRoot()) return null
  const mount = mkdtempSync(join(tmpdir(), 'caravan-freezer-'))
  const { status } = spawnSync('mount', ['-t', 'cgroup', '-o', 'freezer', 'caravan-test', mount])
  if (status !== 0) {
    rmdirSync(mount)
    return null
  }
  const folder = join(mount, `caravan-test-${process.pid}-${name}`)
  mkdirSync(folder)
  t.teardown(async () => {
    await removeGroup(folder)
    execFileSync('umount', ['--lazy', mount])
    rmdirSync(mount)
  })
  return folder
}

/** Below our own group; null for version 2. */
function makeGroup(
  t: Test,
  { controller, name }: { controller: string | null; name: string },
): string | null {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
  const membership = readFileSync('/proc/self/cgroup', 'utf8')
  const type = controller === null ? 'cgroup2 ' : `cgroup (?:\\S*,)?${controller}(?:,| )`
  const mount = new RegExp(`^\\S+ (\\S+) ${type}`, 'm').exec(mounts)?.[1]
  const list = controller === null ? '0::' : `\\d+:(?:[^:\\n]*,)?${controller}(?:,[^:\\n]*)?:`
  const path = new RegExp(`^${list}(/.*)$`, 'm').exec(membership)?.[1]
  if (!isRoot() || mount === undefined || path === undefined) return null
  const folder = join(mount, path, `caravan-test-${process.pid}-${name}`)
  try {
    mkdirSync(folder)
  } catch {
    // Mounted for reading only, as in most containers.
    return null
  }
  t.teardown(async () => await removeGroup(folder))
  return folder
}

/** Its last members may still be on their way out. */
async function removeGroup(folder: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return rmdirSync(folder)
    } catch (cause) {
      if (tries === 200) throw cause
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}
