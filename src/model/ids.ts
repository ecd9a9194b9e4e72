/**
 * Identifiers and the grammar of a Nomad job id.
 *
 * Branded strings: a build id can not be passed where an allocation id is wanted, at no run-time cost.
 */

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** 24 lower-case hex digits: 8 of the creation second, 16 random, so that ids sort by age. */
export type BuildId = Branded<'BuildId'>

/** Names one slice everywhere outside the store: `<build id>-<slice index>`. */
export type SliceKey = Branded<'SliceKey'>

/** Nomad's id of the job that runs one attempt of one slice. */
export type NomadJobId = Branded<'NomadJobId'>

const BUILD_ID = /^[0-9a-f]{24}$/
const SLICE_KEY = /^([0-9a-f]{24})-(\d{1,5})$/
const NOMAD_JOB_ID = /^([0-9a-f]{24})-(\d{1,5})-build-.+-(\d+?)(?:-r(\d+))?$/

/** @param random at least 8 bytes. */
export function createBuildId(nowMs: number, random: Uint8Array): BuildId {
  const seconds = Math.floor(nowMs / 1000)
    .toString(16)
    .padStart(8, '0')
  return (seconds + Buffer.from(random).toString('hex').slice(0, 16)) as BuildId
}

export function isBuildId(text: string): text is BuildId {
  return BUILD_ID.test(text)
}

export function toSliceKey(build: BuildId, index: number): SliceKey {
  return `${build}-${index}` as SliceKey
}

export function parseSliceKey(text: string): { build: BuildId; index: number } | null {
  const match = SLICE_KEY.exec(text)
  return match ? { build: match[1] as BuildId, index: Number(match[2]) } : null
}

export interface NomadJobIdParts {
  build: BuildId
  index: number
  org: string
  repo: string
  number: number
  epoch: number
}

/**
 * `<build id>-<slice>-build-<org>-<repo>-<build number>`, from epoch 2 on with `-r<epoch>`.
 *
 * Nomad routes `/v1/job/<id>/plan` by suffix and splits on nothing else, so an id that keeps to
 * `[A-Za-z0-9._-]` can never be mistaken for an action.
 */
export function toNomadJobId(parts: NomadJobIdParts): NomadJobId {
  const name = [parts.org, parts.repo].map((part) => part.replaceAll(/[^A-Za-z0-9._-]/g, '_'))
  const attempt = parts.epoch > 1 ? `-r${parts.epoch}` : ''
  return `${parts.build}-${parts.index}-build-${name.join('-')}-${parts.number}${attempt}` as NomadJobId
}

/** Reads back what `toNomadJobId` wrote; org and repo are not told apart, both may hold dashes. */
export function parseNomadJobId(
  text: string,
): Pick<NomadJobIdParts, 'build' | 'index' | 'number' | 'epoch'> | null {
  const match = NOMAD_JOB_ID.exec(text)
  if (!match) return null
  const [, build, index, number, epoch] = match
  return {
    build: build as BuildId,
    index: Number(index),
    number: Number(number),
    epoch: epoch === undefined ? 1 : Number(epoch),
  }
}
