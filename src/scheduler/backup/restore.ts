/**
 * A restore: a backup takes the place of what the store holds, all of it or none.
 *
 * What Nomad runs is newer than any backup. The store is marked, so that the server settles that before
 * anything else when it starts: see `newer-jobs.ts`.
 */
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CaravanError } from '../../model/index.ts'
import { lockFolder, type RandomSource } from '../../platform/index.ts'
import {
  listBuilds,
  markRestored,
  openBackupFile,
  openStore,
  replaceRows,
  type BackupFile,
  type BackupManifest,
  type Store,
} from '../store/index.ts'
import { writeFileOf } from './folder.ts'

export interface RestoreOptions {
  storeUrl: string
  dataDir: string
  file: string
  /** Whether builds that are there may go. */
  force: boolean
  nowMs: number
  random: RandomSource
  /**
   * Called before anything is changed. @param key text of the master key, when the backup holds it.
   * @throws CaravanError when the key that is there is another one.
   */
  takeKey: (manifest: BackupManifest, key: string | null) => Promise<void>
}

export interface RestoreReport {
  /** When the backup was made, ISO 8601, and by which version. */
  created_at: string
  version: string
  install_id: string
  builds: number
  slices: number
  /** Files of sources and output that were written; those already there and no shorter are kept. */
  files: number
  master_key: boolean
}

/**
 * What may be in a data directory into which nothing was built yet. Whether the store holds anything is
 * asked of the store.
 */
const HARMLESS = /^(?:lock|lock-journal|lock\.json|master\.key|lost\+found|.*\.db(?:-wal|-shm)?)$/

/**
 * @throws CaravanError INPUT_INVALID when the data directory or the store is not empty and `force` is
 * not given, or the file is no backup; DATA_DIR_LOCKED or STORE_FAILED while a server runs.
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const { dataDir, force, nowMs, random } = options
  const lock = await lockFolder(dataDir, nowMs)
  try {
    if (!force) await refuseFullFolder(dataDir)
    const scratch = join(dataDir, 'restore.part')
    const backup = await openBackupFile(resolve(options.file), scratch, { nowMs, random })
    try {
      const store = await openStore(options.storeUrl, { dataDir, nowMs, random })
      try {
        return await restoreInto(store, backup, options)
      } finally {
        await store.close()
      }
    } finally {
      await backup.close()
    }
  } finally {
    lock.release()
  }
}

async function restoreInto(
  store: Store,
  backup: BackupFile,
  { dataDir, force, nowMs, takeKey }: RestoreOptions,
): Promise<RestoreReport> {
  const { manifest } = backup
  if (!force && (await listBuilds(store.read, { limit: 1 })).length > 0) {
    const message = 'the store holds builds already; with --force they are replaced by the backup'
    throw new CaravanError('INPUT_INVALID', message)
  }
  await takeKey(manifest, await readKey(backup))
  // Files first: rows that name what is not there yet would be worse than files that nobody names.
  const files = await restoreFiles(backup, dataDir)
  const { builds, slices } = await store.write(async (writer) => {
    const before = await readInstallation(store)
    const counts = await replaceRows(backup.read, writer)
    await markRestored(writer, { generation: before.generation + 1, nowMs })
    return counts
  })
  const { install_id } = await readInstallation(store)
  const { version, master_key, created_ms } = manifest
  const created_at = new Date(created_ms).toISOString()
  return { created_at, version, install_id, builds, slices, files, master_key }
}

function readInstallation(store: Store) {
  return store.read.selectFrom('installation').selectAll().executeTakeFirstOrThrow()
}

async function restoreFiles(backup: BackupFile, dataDir: string): Promise<number> {
  let written = 0
  for await (const { kind, name, bytes } of backup.files()) {
    if (kind === 'key') continue
    const parts = backup.parts({ kind, name })
    if (await writeFileOf(dataDir, { kind, name, bytes }, parts)) written += 1
  }
  return written
}

async function readKey(backup: BackupFile): Promise<string | null> {
  if (!backup.manifest.master_key) return null
  const parts: Uint8Array[] = []
  for await (const part of backup.parts({ kind: 'key', name: 'master' })) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}

async function refuseFullFolder(dataDir: string): Promise<void> {
  const others = (await readdir(dataDir)).filter((name) => !HARMLESS.test(name))
  if (others.length === 0) return
  throw new CaravanError(
    'INPUT_INVALID',
    `${dataDir} is not empty (${others.slice(0, 5).join(', ')}): restore into another data directory, ` +
      'or with --force over what is there',
  )
}
