/**
 * A backup is one SQLite file: the tables of the store as they are in every store, and beside them, cut
 * into parts, the files that belong to it.
 *
 * So the same migrations bring an old backup forward, and it is read with no other tool than `sqlite3`.
 */
import { DatabaseSync } from 'node:sqlite'
import { copyFile, rm, stat } from 'node:fs/promises'
import { sql, type Kysely } from 'kysely'
import { z } from 'zod'
import { CaravanError } from '../../model/index.ts'
import { openStore, type Reader, type Store, type StoreDeps } from './open.ts'
import { openSnapshot } from './snapshot.ts'
import { sendAhead } from './transaction.ts'

const manifestSchema = z.strictObject({
  format: z.literal(1),
  created_ms: z.number(),
  /** Of Caravan. */
  version: z.string(),
  /** Which backend it was taken from. */
  store: z.enum(['sqlite', 'postgres']),
  output: z.boolean(),
  sources: z.enum(['open', 'all']),
  master_key: z.boolean(),
  /** Tells the master key of the installation from others, and tells nothing of it. */
  key_fingerprint: z.string().nullable(),
})
export type BackupManifest = z.infer<typeof manifestSchema>

export type FileKind = 'source' | 'output' | 'key'

export interface BackupFile {
  readonly manifest: BackupManifest
  readonly read: Reader
  files(): AsyncIterable<{ kind: FileKind; name: string; bytes: number }>
  parts(file: { kind: FileKind; name: string }): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

interface BackupTables {
  backup: { manifest: string }
  backup_files: { kind: FileKind; name: string; part: number; bytes: Uint8Array }
}

/** The part of a file that one row holds, and memory for a moment. */
const PART_BYTES = 1024 * 1024

export interface BackupWriter {
  /** A store of its own, empty at first. */
  readonly store: Store
  /** @returns how many bytes it had. */
  add: (kind: FileKind, name: string, bytes: AsyncIterable<Buffer>) => Promise<number>
}

/**
 * Makes the file, lets the work fill it, and leaves it as one file that nothing else belongs to.
 *
 * @param file not there yet, or empty.
 */
export async function writeBackupFile(
  file: string,
  deps: StoreDeps,
  fill: (writer: BackupWriter) => Promise<BackupManifest>,
): Promise<void> {
  // Nothing else waits in the process of a backup.
  const store = await openStore(`sqlite:${file}?thread=main&synchronous=full`, deps)
  try {
    await store.write(async (writer) => {
      await sql`create table backup (manifest text not null)`.execute(writer)
      await sql`create table backup_files (kind text not null, name text not null,
        part integer not null, bytes blob not null, primary key (kind, name, part))`.execute(writer)
    })
    const manifest = await fill({
      store,
      add: (kind, name, bytes) => add(store, { kind, name }, bytes),
    })
    await store.write(async (writer) => {
      const database = writer as unknown as Kysely<BackupTables>
      const row = { manifest: JSON.stringify(manifestSchema.parse(manifest)) }
      await sendAhead(writer, database.insertInto('backup').values(row))
    })
  } finally {
    await store.close()
  }
  // Readable from then on where nothing may be written.
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = DELETE')
  database.close()
}

async function add(
  store: Store,
  file: { kind: FileKind; name: string },
  bytes: AsyncIterable<Buffer>,
): Promise<number> {
  let length = 0
  await store.write(async (writer) => {
    const database = writer as unknown as Kysely<BackupTables>
    let part = 0
    for await (const chunk of bytes) {
      for (let start = 0; start < chunk.length; start += PART_BYTES) {
        const piece = chunk.subarray(start, start + PART_BYTES)
        length += piece.length
        const row = { ...file, part: part++, bytes: piece }
        await sendAhead(writer, database.insertInto('backup_files').values(row))
      }
    }
  })
  return length
}

/**
 * @param scratch where a copy may be made, when the backup is older than this version.
 * @throws CaravanError STORE_FAILED when it is no backup, or one of a newer version.
 */
export async function openBackupFile(
  file: string,
  scratch: string,
  deps: StoreDeps,
): Promise<BackupFile> {
  const found = await stat(file).catch(() => null)
  if (found !== null && !found.isFile()) {
    throw new CaravanError('INPUT_INVALID', `${file} is no backup: it is no regular file`)
  }
  let snapshot = await openSnapshot(`sqlite:${file}`, '')
  if (snapshot.isOlder) {
    await snapshot.close()
    await copyFile(file, scratch)
    await (await openStore(`sqlite:${scratch}?thread=main`, deps)).close()
    snapshot = await openSnapshot(`sqlite:${scratch}`, '')
  }
  const close = async (): Promise<void> => {
    await snapshot.close()
    await rm(scratch, { force: true })
  }
  try {
    const database = snapshot.read as unknown as Kysely<BackupTables>
    const manifest = await readManifest(database, file)
    return {
      manifest,
      read: snapshot.read,
      files: () => listFiles(database),
      parts: (each) => readParts(database, each),
      close,
    }
  } catch (cause) {
    await close()
    throw cause
  }
}

async function readManifest(database: Kysely<BackupTables>, file: string): Promise<BackupManifest> {
  try {
    const { manifest } = await database.selectFrom('backup').selectAll().executeTakeFirstOrThrow()
    return manifestSchema.parse(JSON.parse(manifest))
  } catch (cause) {
    const message = `${file} is no backup that this version of Caravan can read`
    throw new CaravanError('INPUT_INVALID', message, { cause })
  }
}

async function* listFiles(database: Kysely<BackupTables>) {
  const rows = await database
    .selectFrom('backup_files')
    .select(['kind', 'name', sql<number>`sum(length(bytes))`.as('bytes')])
    .groupBy(['kind', 'name'])
    .execute()
  yield* rows
}

async function* readParts(
  database: Kysely<BackupTables>,
  file: { kind: FileKind; name: string },
): AsyncGenerator<Uint8Array> {
  for (let part = 0; ; part++) {
    const row = await database
      .selectFrom('backup_files')
      .select('bytes')
      .where('kind', '=', file.kind)
      .where('name', '=', file.name)
      .where('part', '=', part)
      .executeTakeFirst()
    if (row === undefined) return
    yield row.bytes
  }
}
