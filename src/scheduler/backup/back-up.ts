/**
 * A backup: the store as it is at one moment, with the files that it needs to go on.
 *
 * The server may run meanwhile. The rows are of one moment; files are taken after them, so all that the
 * rows know of is in them, and perhaps a little more.
 */
import { constants } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { CaravanError, source as sourceSchema } from '../../model/index.ts'
import type { RandomSource } from '../../platform/index.ts'
import {
  openSnapshot,
  replaceRows,
  writeBackupFile,
  type BackupManifest,
  type Snapshot,
} from '../store/index.ts'
import { listNames, readNow, type FolderKind } from './folder.ts'

export interface BackUpOptions {
  /** Of the store, as in the settings. */
  storeUrl: string
  dataDir: string
  /** Where the backup goes. */
  file: string
  /** Whether a file that is there may go. */
  force: boolean
  withOutput: boolean
  /** Also the sources of builds that are over. */
  withSources: boolean
  /** Its text goes into the backup only when that is asked for; the fingerprint always. */
  masterKey: { text: string; fingerprint: string } | null
  withMasterKey: boolean
  /** Of Caravan. */
  version: string
  nowMs: number
  random: RandomSource
}

export interface BackUpReport {
  file: string
  builds: number
  slices: number
  sources: number
  outputs: number
  /** Of sources and outputs. */
  bytes: number
  master_key: boolean
}

/**
 * @throws CaravanError INPUT_INVALID when the file is there already, STORE_FAILED when there is no store
 * or it belongs to another version.
 */
export async function backUp(options: BackUpOptions): Promise<BackUpReport> {
  const { file, dataDir, nowMs, random } = options
  const snapshot = await openSnapshot(options.storeUrl, dataDir)
  const part = `${file}.part`
  try {
    if (snapshot.isOlder) {
      const message =
        'the store is of an older version of Caravan: start the server of this one first'
      throw new CaravanError('STORE_FAILED', message)
    }
    await create(file, options.force)
    await rm(part, { force: true })
    await create(part, false)
    let report: BackUpReport | null = null
    await writeBackupFile(part, { nowMs, random }, async ({ store, add }) => {
      const rows = await store.write((writer) => replaceRows(snapshot.read, writer))
      const files = await addFiles(options, snapshot, add)
      const { builds, slices } = rows
      report = { file, builds, slices, ...files, master_key: options.withMasterKey }
      return toManifest(options, snapshot)
    })
    await rename(part, file)
    if (report === null) throw new CaravanError('INTERNAL', 'a backup without a report')
    return report
  } finally {
    await rm(part, { force: true })
    await snapshot.close()
  }
}

const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT

/** Nobody else is to read it: what it holds is the whole installation. */
async function create(file: string, mayExist: boolean): Promise<void> {
  try {
    // Without waiting: a named pipe that nobody reads would be waited for, for ever.
    const handle = await open(file, mayExist ? APPEND | constants.O_NONBLOCK : 'wx', 0o600)
    try {
      if (!(await handle.stat()).isFile()) throw new Error('it is no regular file')
    } finally {
      await handle.close()
    }
  } catch (cause) {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    const problem = isThere
      ? 'is there already: choose another name, or --force'
      : 'can not be written'
    throw new CaravanError('INPUT_INVALID', `${file} ${problem}`, { cause })
  }
}

type Add = (kind: FolderKind | 'key', name: string, bytes: AsyncIterable<Buffer>) => Promise<number>

async function addFiles(
  options: BackUpOptions,
  snapshot: Snapshot,
  add: Add,
): Promise<Pick<BackUpReport, 'sources' | 'outputs' | 'bytes'>> {
  const { dataDir, masterKey } = options
  const here = await listNames(dataDir, 'source')
  const wanted = options.withSources ? new Set(here) : await readOpenSources(snapshot)
  const sources = here.filter((name) => wanted.has(name))
  const outputs = options.withOutput ? await listNames(dataDir, 'output') : []
  let bytes = 0
  for (const name of sources)
    bytes += await add('source', name, await readNow(dataDir, 'source', name))
  for (const name of outputs)
    bytes += await add('output', name, await readNow(dataDir, 'output', name))
  if (options.withMasterKey && masterKey !== null) {
    await add('key', 'master', once(Buffer.from(masterKey.text)))
  }
  return { sources: sources.length, outputs: outputs.length, bytes }
}

/** Without its source, a slice that still waits could never run. */
async function readOpenSources({ read }: Snapshot): Promise<Set<string>> {
  const rows = await read
    .selectFrom('builds')
    .select('source')
    .where('state', 'in', ['queued', 'running'])
    .execute()
  const sources = rows.map((row) => sourceSchema.parse(JSON.parse(row.source)))
  return new Set(sources.flatMap((source) => (source.kind === 'bundle' ? [source.id] : [])))
}

function toManifest(options: BackUpOptions, { location }: Snapshot): BackupManifest {
  return {
    format: 1,
    created_ms: options.nowMs,
    version: options.version,
    store: location.kind,
    output: options.withOutput,
    sources: options.withSources ? 'all' : 'open',
    master_key: options.withMasterKey && options.masterKey !== null,
    key_fingerprint: options.masterKey?.fingerprint ?? null,
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
