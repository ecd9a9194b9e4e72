/** Paths of a configuration file. Only a leading `~` means anything; variables are never expanded. */
import { isAbsolute, join, resolve } from 'node:path'

/** `~` and `~/x` stand for the home folder of the step's user; `~name` is an ordinary file name. */
export function expandHome(path: string, home: string): string {
  if (path === '~') return home
  return path.startsWith('~/') ? join(home, path.slice(2)) : path
}

/**
 * Where the job works. A relative path is put below the slice's own home: on a host that several slices
 * share, nothing else is theirs.
 */
export function resolveWorkingDirectory(path: string, home: string): string {
  const expanded = expandHome(path, home)
  return isAbsolute(expanded) ? resolve(expanded) : resolve(home, expanded)
}

/** Where a step works: its own path seen from the job's. */
export function resolveStepDirectory(
  path: string | undefined,
  place: { workingDirectory: string; home: string },
): string {
  return resolve(place.workingDirectory, expandHome(path ?? '.', place.home))
}
