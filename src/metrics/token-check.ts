/**
 * Whether our token can see all jobs. Nomad leaves out of its lists what a token may not see, and says
 * nothing: the numbers would be too small, and look sound.
 */
import { isCaravanError } from '../model/index.ts'
import type { NomadReadings } from '../nomad/index.ts'

const ALL_NAMESPACES =
  /namespace\s+"\*"\s*\{[^}]*(?:policy\s*=\s*"(?:read|write)"|list-jobs|read-job)/

/** @returns what to tell, or null when all can be seen or it can not be known. */
export async function checkToken(
  nomad: NomadReadings,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const token = await nomad.ownToken(signal)
    if (token === null || token.Type === 'management') return null
    // Newer servers without access control answer with a token that says so; what roles allow is not
    // looked up.
    if (token.AccessorID === 'acls-disabled' || (token.Roles ?? []).length > 0) return null
    for (const name of token.Policies ?? []) {
      if (ALL_NAMESPACES.test(await nomad.policyRules(name, signal))) return null
    }
    return 'the token (NOMAD_TOKEN) may not list the jobs of all namespaces: those of the others are not counted'
  } catch (error) {
    // A Nomad without these calls, or one that guards them: whether jobs are missing stays unknown.
    if (isCaravanError(error)) return null
    throw error
  }
}
