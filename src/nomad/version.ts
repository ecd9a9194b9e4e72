/** Which Nomad this is, and what that means for us. */

export interface NomadVersion {
  /** As Nomad tells it, such as `2.0.5` or `1.10.11+ent`. */
  text: string
  major: number
  minor: number
  patch: number
}

/**
 * The first version that has it. Enterprise got some of them in older lines too; taking such a server
 * for one without costs an extra read and nothing else.
 */
const FEATURES = {
  /** `/v1/jobs/statuses`. */
  job_statuses: [1, 8, 0],
  /** The `disconnect` block; older servers drop it silently. */
  disconnect: [1, 8, 0],
  /** Enforced indexes are checked where the write is applied, so two creations can not both win. */
  atomic_create: [2, 0, 1],
  /** `max_run_duration` of a batch group. */
  max_run_duration: [2, 0, 3],
} as const

export type NomadFeature = keyof typeof FEATURES

/** `1.11.5-rc.1+ent` and the like. @returns null when the text does not start with three numbers. */
export function parseNomadVersion(text: string): NomadVersion | null {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text)
  if (!match) return null
  const [, major, minor, patch] = match
  return { text, major: Number(major), minor: Number(minor), patch: Number(patch) }
}

/** An unknown version (null) is taken for the oldest that Caravan works with. */
export function hasFeature(version: NomadVersion | null, feature: NomadFeature): boolean {
  if (version === null) return false
  const [major, minor, patch] = FEATURES[feature]
  if (version.major !== major) return version.major > major
  if (version.minor !== minor) return version.minor > minor
  return version.patch >= patch
}
