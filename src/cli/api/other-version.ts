/** When client and server do not understand each other because they are of different versions. */
import { compareVersions } from '../upgrade/judge.ts'
import { VERSION } from '../version.ts'

/**
 * @param theirs of the server, as it tells on every answer.
 * @returns what is the matter and what to do; null when the versions are the same, or theirs is not told.
 */
export function explainOtherVersion(theirs: string | undefined, own = VERSION): string | null {
  if (theirs === undefined || theirs === own) return null
  const remedy =
    compareVersions(theirs, own) < 0
      ? `upgrade the server, or use Caravan ${theirs} here`
      : `install Caravan ${theirs} here`
  return `the server runs Caravan ${theirs} and this is ${own}: ${remedy}`
}
