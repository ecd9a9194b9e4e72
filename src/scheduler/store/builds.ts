/** Builds in the store. */
import {
  isBuildId,
  jobSpec,
  source as sourceSchema,
  type BuildId,
  type JobSpec,
  type Source,
} from '../../model/index.ts'
import { z } from 'zod'
import type { Reader, Writer } from './index.ts'
import type { BuildRow, BuildTable } from './tables.ts'
import { sendAhead } from './transaction.ts'

const BUILD_COLUMNS = [
  'id',
  'number',
  'org',
  'repo',
  'branch',
  'sha',
  'job',
  'parallelism',
  'resource_class',
  'priority',
  'state',
  'reason',
  'created_ms',
  'started_ms',
  'finished_ms',
  'rerun_of',
] as const satisfies readonly (keyof BuildRow)[]

/** The large texts of a build, read back and checked. */
export interface BuildTexts {
  spec: JobSpec
  source: Source
  warnings: string[]
}

export async function insertBuild(
  writer: Writer,
  build: BuildRow,
  texts: BuildTexts,
): Promise<void> {
  const row: BuildTable = {
    ...build,
    spec: JSON.stringify(texts.spec),
    source: JSON.stringify(texts.source),
    warnings: JSON.stringify(texts.warnings),
  }
  await sendAhead(writer, writer.insertInto('builds').values(row))
}

/** @param ref a build id, or a build number in decimal. */
export async function findBuild(reader: Reader, ref: string): Promise<BuildRow | null> {
  const query = reader.selectFrom('builds').select(BUILD_COLUMNS)
  if (isBuildId(ref)) return (await query.where('id', '=', ref).executeTakeFirst()) ?? null
  // More digits than this are no number that we ever gave out, and would not fit the column.
  if (!/^[0-9]{1,9}$/.test(ref)) return null
  return (await query.where('number', '=', Number(ref)).executeTakeFirst()) ?? null
}

export async function readBuilds(reader: Reader, ids: readonly BuildId[]): Promise<BuildRow[]> {
  if (ids.length === 0) return []
  return reader.selectFrom('builds').select(BUILD_COLUMNS).where('id', 'in', ids).execute()
}

/** Newest first. @param before a build number: only older ones. */
export async function listBuilds(
  reader: Reader,
  page: { before?: number; limit: number },
): Promise<BuildRow[]> {
  const query = reader.selectFrom('builds').select(BUILD_COLUMNS).orderBy('number', 'desc')
  const older = page.before === undefined ? query : query.where('number', '<', page.before)
  return older.limit(page.limit).execute()
}

/**
 * The newest build of the same job on the same branch, when it is newer than this one. Reruns do not count:
 * their commit may be older.
 */
export async function findNewerBuild(
  reader: Reader,
  build: Pick<BuildRow, 'org' | 'repo' | 'branch' | 'job' | 'number'>,
): Promise<number | null> {
  const { org, repo, branch, job, number } = build
  const row = await reader
    .selectFrom('builds')
    .select('number')
    .where((where) => where.and({ org, repo, branch, job }))
    .where('number', '>', number)
    .where('rerun_of', 'is', null)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.number ?? null
}

export async function readBuildTexts(reader: Reader, id: BuildId): Promise<BuildTexts> {
  const row = await reader
    .selectFrom('builds')
    .select(['spec', 'source', 'warnings'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return {
    spec: jobSpec.parse(JSON.parse(row.spec)),
    source: sourceSchema.parse(JSON.parse(row.source)),
    warnings: z.array(z.string()).parse(JSON.parse(row.warnings)),
  }
}

export async function updateBuild(
  writer: Writer,
  id: BuildId,
  change: Partial<Pick<BuildRow, 'state' | 'reason' | 'started_ms' | 'finished_ms'>>,
): Promise<void> {
  await sendAhead(writer, writer.updateTable('builds').set(change).where('id', '=', id))
}
