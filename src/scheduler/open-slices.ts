/**
 * The slices that somebody still has to do something about, in memory: those without a result, and
 * those whose Nomad job may still run.
 *
 * Rebuilt from the rows at start and kept in step after every commit, so that loops and agents' calls
 * decide without a query. The rows stay the truth: whoever writes checks state and version there.
 */
import {
  isResult,
  toSliceKey,
  type BuildId,
  type BuildState,
  type NomadJobId,
  type SliceKey,
  type SliceState,
} from '../model/index.ts'
import {
  readAttempts,
  readBuilds,
  readOpenSlices,
  readSlice,
  type AttemptRow,
  type BuildRow,
  type Reader,
  type SliceRow,
} from './store/index.ts'

export interface OpenSlice {
  readonly key: SliceKey
  readonly build: BuildRow
  readonly slice: SliceRow
  /** Of the slice's epoch, once an agent claimed it. */
  readonly attempt: AttemptRow | null
}

/** What everybody but the ledger may do with them. */
export interface OpenSlices {
  readonly size: number
  get(key: SliceKey): OpenSlice | undefined
  ofJob(job: string): OpenSlice | undefined
  /** Those in one state, in the order in which they came into it. */
  inState(state: SliceState): Iterable<OpenSlice>
  /** Whether the build has surely begun, and was not seen to end. */
  isRunning(build: BuildId): boolean
  /** In the order in which they were stored. */
  [Symbol.iterator](): Iterator<OpenSlice>
}

export interface OpenSliceIndex extends OpenSlices {
  load(reader: Reader): Promise<void>
  /** What is open by the rows, and the rows of what only the index has for open. */
  read(reader: Reader): Promise<OpenRows>
  /** Takes over what is newer than what is known. @returns the slices that are. */
  merge(rows: OpenRows): SliceRow[]
  add(build: BuildRow, slice: SliceRow): void
  /** Takes over a committed row; one that is older than the known row is ignored. */
  update(slice: SliceRow): void
  setAttempt(attempt: AttemptRow): void
  setBuildState(build: BuildId, state: BuildState): void
}

export interface OpenRows {
  entries: readonly OpenSlice[]
  others: readonly SliceRow[]
}

/** Builds read in one query. */
const BUILDS_PER_READ = 500

export function createOpenSlices(): OpenSliceIndex {
  const entries = new Map<SliceKey, OpenSlice>()
  const keys = new Map<NomadJobId, SliceKey>()
  const states = new Map<SliceState, Map<SliceKey, OpenSlice>>()
  const running = new Set<BuildId>()

  const put = (entry: OpenSlice): void => {
    const { slice, key } = entry
    const known = entries.get(key)?.slice
    const before = known?.state
    if (before !== undefined && before !== slice.state) states.get(before)?.delete(key)
    // Another epoch has another job: what Nomad tells of the old one is about nothing that is open.
    if (known !== undefined && known.nomad_job_id !== slice.nomad_job_id) {
      keys.delete(known.nomad_job_id)
    }
    if (isResult(slice.state) && slice.job_open === 0) {
      entries.delete(key)
      states.get(slice.state)?.delete(key)
      keys.delete(slice.nomad_job_id)
      return
    }
    entries.set(key, entry)
    const alike = states.get(slice.state) ?? new Map<SliceKey, OpenSlice>()
    states.set(slice.state, alike.set(key, entry))
    keys.set(slice.nomad_job_id, key)
  }

  const update = (slice: SliceRow): void => {
    const known = entries.get(keyOf(slice))
    if (known === undefined || known.slice.version >= slice.version) return
    const attempt = known.slice.epoch === slice.epoch ? known.attempt : null
    put({ ...known, slice, attempt })
  }

  const setAttempt = (attempt: AttemptRow): void => {
    const known = entries.get(toSliceKey(attempt.build_id, attempt.slice_index))
    if (known?.slice.epoch === attempt.epoch) put({ ...known, attempt })
  }

  return {
    get size() {
      return entries.size
    },
    get: (key) => entries.get(key),
    inState: (state) => states.get(state)?.values() ?? [],
    isRunning: (build) => running.has(build),
    ofJob(job) {
      const key = keys.get(job as NomadJobId)
      return key === undefined ? undefined : entries.get(key)
    },
    [Symbol.iterator]: () => entries.values(),
    async load(reader) {
      for (const entry of await readEntries(reader)) put(entry)
    },
    read: (reader) => readRows(reader, entries),
    merge(rows) {
      const isNewer = ({ version, ...row }: SliceRow): boolean =>
        version > (entries.get(keyOf(row))?.slice.version ?? 0)
      const newer = rows.entries.filter(({ slice }) => isNewer(slice))
      const others = rows.others.filter(isNewer)
      for (const entry of newer) put(entry)
      for (const entry of rows.entries) if (entry.attempt !== null) setAttempt(entry.attempt)
      for (const row of others) update(row)
      return [...newer.map(({ slice }) => slice), ...others]
    },
    add(build, slice) {
      put({ key: keyOf(slice), build, slice, attempt: null })
    },
    update,
    setAttempt,
    setBuildState: (build, state) =>
      void (state === 'running' ? running.add(build) : running.delete(build)),
  }
}

export function keyOf(row: { build_id: BuildId; slice_index: number }): SliceKey {
  return toSliceKey(row.build_id, row.slice_index)
}

async function readRows(
  reader: Reader,
  known: ReadonlyMap<SliceKey, OpenSlice>,
): Promise<OpenRows> {
  const entries = await readEntries(reader)
  const found = new Set(entries.map(({ key }) => key))
  const others: SliceRow[] = []
  for (const { key, build, slice } of known.values()) {
    if (found.has(key)) continue
    const row = await readSlice(reader, { build: build.id, index: slice.slice_index })
    if (row !== null) others.push(row)
  }
  return { entries, others }
}

async function readEntries(reader: Reader): Promise<OpenSlice[]> {
  const slices = await readOpenSlices(reader)
  const ids = [...new Set(slices.map((slice) => slice.build_id))]
  const builds = new Map<BuildId, BuildRow>()
  const attempts = new Map<string, AttemptRow>()
  for (let start = 0; start < ids.length; start += BUILDS_PER_READ) {
    const some = ids.slice(start, start + BUILDS_PER_READ)
    for (const build of await readBuilds(reader, some)) builds.set(build.id, build)
    for (const attempt of await readAttempts(reader, some)) {
      attempts.set(`${keyOf(attempt)}/${attempt.epoch}`, attempt)
    }
  }
  return slices
    .flatMap((slice) => {
      const build = builds.get(slice.build_id)
      const key = keyOf(slice)
      const attempt = attempts.get(`${key}/${slice.epoch}`) ?? null
      return build === undefined ? [] : [{ key, build, slice, attempt }]
    })
    .sort((a, b) => a.build.number - b.build.number || a.slice.slice_index - b.slice.slice_index)
}
