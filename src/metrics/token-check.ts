/**
 * Whether our token can see all that is counted. Nomad leaves out of its lists what a token may not see, and
 * says nothing: the numbers would be too small, and look sound.
 */
import { isCaravanError } from '../model/index.ts'
import type { NomadReadings } from '../nomad/index.ts'

/** What lists need: those of jobs, and those of allocations. */
export type NeededRight = 'list-jobs' | 'read-job'

const TOLD: Readonly<Record<NeededRight, string>> = {
  'list-jobs':
    'the token (NOMAD_TOKEN) may not list the jobs of all namespaces: those of the others are not counted',
  'read-job':
    'the token (NOMAD_TOKEN) may not read the jobs of all namespaces: what those of the others hold is not counted',
}

/** @returns what to tell, or null when all can be seen or it can not be known. */
export async function checkToken(
  nomad: NomadReadings,
  right: NeededRight,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const token = await nomad.ownToken(signal)
    if (token === null || token.Type === 'management') return null
    // Newer servers without access control answer with a token that says so; what roles allow is not
    // looked up.
    if (token.AccessorID === 'acls-disabled' || (token.Roles ?? []).length > 0) return null
    for (const name of token.Policies ?? []) {
      if (grants(await nomad.policyRules(name, signal), right)) return null
    }
    return TOLD[right]
  } catch (error) {
    // A Nomad without these calls, or one that guards them: whether something is missing stays unknown.
    if (isCaravanError(error)) return null
    throw error
  }
}

/** Neither right is part of the other. */
function grants(rules: string, right: NeededRight): boolean {
  const granted = `policy\\s*=\\s*"(?:read|write)"|"${right}"`
  return new RegExp(`namespace\\s+"\\*"\\s*\\{[^}]*(?:${granted})`).test(rules)
}
