/** Process groups: signalling all of one, and telling whether any of it still runs. */
import { readdir, readFile } from 'node:fs/promises'

/** @returns false when there is no such group any more. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal)
    return true
  } catch (cause) {
    // Not permitted means that it is there, but not ours to signal: a program that changed its user.
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM'
  }
}

/**
 * Whether any member still runs. One that has ended and that nobody has collected yet does not: in a
 * container whose first process collects nobody, it would look alive for ever.
 */
export async function isGroupAlive(group: number): Promise<boolean> {
  if (!signalGroup(group, 0)) return false
  const entries = await readdir('/proc').catch(() => null)
  if (entries === null) return true
  for (const entry of entries) {
    if (!/^\d+$/.test(entry)) continue
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '')
    // Behind the name, which may hold anything: state, parent, group.
    const [, state, member] = /^ (\S) \d+ (\d+) /.exec(stat.slice(stat.lastIndexOf(')') + 1)) ?? []
    if (Number(member) === group && state !== 'Z' && state !== 'X') return true
  }
  return false
}
