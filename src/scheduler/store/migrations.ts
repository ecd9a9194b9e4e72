/**
 * How the tables came to be: each step forward once, in the order of the names, never changed after it
 * was released. One list for both backends.
 */
import { sql, type ColumnDefinitionBuilder, type Kysely } from 'kysely'
import { CaravanError } from '../../model/index.ts'
import type { Writer } from './index.ts'

const MIGRATIONS: Record<string, (database: Kysely<unknown>) => Promise<void>> = {
  '0001_builds_and_slices': createBuildsAndSlices,
  '0002_ownership': addOwnership,
  '0003_tokens': createTokens,
  '0004_attempts': addEarlierAttempts,
  '0005_jobs': addJobIndex,
}

/** The table has the shape and the name that Kysely's own migrator gives it. */
interface MigrationTables {
  kysely_migration: { name: string; timestamp: string }
}

/**
 * Brings the tables to this version. It runs inside one transaction, which holds the lock of the
 * database: whoever migrates at the same time waits, and finds the work done.
 *
 * @param now ISO 8601; kept for people.
 * @throws CaravanError STORE_FAILED when a step fails, or when a newer Caravan wrote the store.
 */
export async function migrate(writer: Writer, now: string): Promise<void> {
  const database = writer as unknown as Kysely<MigrationTables>
  await database.schema
    .createTable('kysely_migration')
    .ifNotExists()
    .addColumn('name', 'varchar(255)', (column) => column.notNull().primaryKey())
    .addColumn('timestamp', 'varchar(255)', required)
    .execute()
  const missing = await findMissing(writer)
  for (const name of missing) {
    try {
      await MIGRATIONS[name]?.(writer as unknown as Kysely<unknown>)
      await database.insertInto('kysely_migration').values({ name, timestamp: now }).execute()
    } catch (cause) {
      const message = `the store could not be brought to this version: step ${name} failed`
      throw new CaravanError('STORE_FAILED', message, { cause })
    }
  }
}

/**
 * Steps that are still to be made.
 *
 * @throws CaravanError STORE_FAILED when a newer Caravan wrote the store.
 */
export async function findMissing(reader: Pick<Kysely<never>, 'selectFrom'>): Promise<string[]> {
  const database = reader as unknown as Kysely<MigrationTables>
  const rows = await database.selectFrom('kysely_migration').select('name').execute()
  const made = new Set(rows.map(({ name }) => name))
  const unknown = [...made].filter((name) => MIGRATIONS[name] === undefined)
  if (unknown.length === 0) return Object.keys(MIGRATIONS).filter((name) => !made.has(name))
  throw new CaravanError(
    'STORE_FAILED',
    'the store was written by a newer version of Caravan: start that version',
    { detail: { unknown, known: Object.keys(MIGRATIONS) } },
  )
}

async function createBuildsAndSlices(database: Kysely<unknown>): Promise<void> {
  const { schema } = database
  await schema
    .createTable('installation')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('install_id', 'text', required)
    .addColumn('created_ms', 'bigint', required)
    .addColumn('last_build_number', 'integer', required)
    .execute()
  await schema
    .createTable('builds')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('number', 'integer', (column) => column.notNull().unique())
    .addColumn('org', 'text', required)
    .addColumn('repo', 'text', required)
    .addColumn('branch', 'text', required)
    .addColumn('sha', 'text', required)
    .addColumn('job', 'text', required)
    .addColumn('parallelism', 'integer', required)
    .addColumn('resource_class', 'text', required)
    .addColumn('priority', 'integer', required)
    .addColumn('state', 'text', required)
    .addColumn('reason', 'text')
    .addColumn('created_ms', 'bigint', required)
    .addColumn('started_ms', 'bigint')
    .addColumn('finished_ms', 'bigint')
    .addColumn('spec', 'text', required)
    .addColumn('source', 'text', required)
    .addColumn('warnings', 'text', required)
    .execute()
  await createSlices(database)
  await createReports(database)
}

async function createSlices(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('slices')
    .addColumn('build_id', 'text', (column) => column.notNull().references('builds.id'))
    .addColumn('slice_index', 'integer', required)
    .addColumn('state', 'text', required)
    .addColumn('version', 'integer', required)
    .addColumn('epoch', 'integer', required)
    .addColumn('nomad_job_id', 'text', required)
    .addColumn('job_open', 'integer', required)
    .addColumn('spec_hash', 'text')
    .addColumn('job_modify_index', 'bigint')
    .addColumn('allocation_id', 'text')
    .addColumn('node_id', 'text')
    .addColumn('node_name', 'text')
    .addColumn('cancel_reason', 'text')
    .addColumn('reason', 'text')
    .addColumn('detail', 'text', required)
    .addColumn('queued_ms', 'bigint', required)
    .addColumn('submitted_ms', 'bigint')
    .addColumn('placed_ms', 'bigint')
    .addColumn('claimed_ms', 'bigint')
    .addColumn('started_ms', 'bigint')
    .addColumn('finished_ms', 'bigint')
    .addPrimaryKeyConstraint('slices_pk', ['build_id', 'slice_index'])
    .execute()
  const index = database.schema.createIndex('slices_state')
  await index.on('slices').columns(['state', 'build_id']).execute()
  // Partial, so that the finished slices of years cost nothing to skip.
  await sql`create index slices_job_open on slices (build_id) where job_open = 1`.execute(database)
}

async function createReports(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('attempts')
    .addColumn('build_id', 'text', (column) => column.notNull().references('builds.id'))
    .addColumn('slice_index', 'integer', required)
    .addColumn('epoch', 'integer', required)
    .addColumn('claim_id', 'text', required)
    .addColumn('session_hash', 'text', required)
    .addColumn('agent_version', 'text', required)
    .addColumn('allocation_id', 'text', required)
    .addColumn('claimed_ms', 'bigint', required)
    .addColumn('events_applied', 'integer', required)
    .addColumn('reported_reason', 'text')
    .addColumn('reported_detail', 'text', required)
    .addPrimaryKeyConstraint('attempts_pk', ['build_id', 'slice_index', 'epoch'])
    .execute()
  await database.schema
    .createTable('steps')
    .addColumn('build_id', 'text', (column) => column.notNull().references('builds.id'))
    .addColumn('slice_index', 'integer', required)
    .addColumn('epoch', 'integer', required)
    .addColumn('step_index', 'integer', required)
    .addColumn('attempt', 'integer', required)
    .addColumn('state', 'text', required)
    .addColumn('shell', 'text')
    .addColumn('exit_code', 'integer')
    .addColumn('signal', 'text')
    .addColumn('reason', 'text')
    .addColumn('started_ms', 'bigint')
    .addColumn('finished_ms', 'bigint')
    .addColumn('duration_ms', 'bigint')
    .addColumn('output_length', 'bigint')
    .addColumn('output_sha256', 'text')
    .addColumn('output_dropped', 'bigint', required)
    .addColumn('output_state', 'text')
    .addPrimaryKeyConstraint('steps_pk', [
      'build_id',
      'slice_index',
      'epoch',
      'step_index',
      'attempt',
    ])
    .execute()
  await database.schema
    .createTable('notices')
    .addColumn('build_id', 'text', (column) => column.notNull().references('builds.id'))
    .addColumn('slice_index', 'integer', required)
    .addColumn('epoch', 'integer', required)
    .addColumn('number', 'integer', required)
    .addColumn('step_index', 'integer')
    .addColumn('at_ms', 'bigint', required)
    .addColumn('text', 'text', required)
    .addPrimaryKeyConstraint('notices_pk', ['build_id', 'slice_index', 'epoch', 'number'])
    .execute()
}

async function addOwnership(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .alterTable('installation')
    .addColumn('generation', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await database.schema.alterTable('installation').addColumn('restored_ms', 'bigint').execute()
}

async function createTokens(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('tokens')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', required)
    .addColumn('role', 'text', required)
    .addColumn('hash', 'text', (column) => column.notNull().unique())
    .addColumn('created_ms', 'bigint', required)
    .addColumn('expires_ms', 'bigint')
    .addColumn('used_ms', 'bigint')
    .execute()
}

async function addEarlierAttempts(database: Kysely<unknown>): Promise<void> {
  const { schema } = database
  await schema.alterTable('builds').addColumn('rerun_of', 'integer').execute()
  // What the newest build of a branch is, without reading those of years.
  const head = schema.createIndex('builds_head').on('builds')
  await head.columns(['org', 'repo', 'branch', 'job', 'number']).execute()
  await schema
    .alterTable('slices')
    .addColumn('retries', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await schema.alterTable('slices').addColumn('due_ms', 'bigint').execute()
  await schema
    .createTable('earlier_attempts')
    .addColumn('build_id', 'text', (column) => column.notNull().references('builds.id'))
    .addColumn('slice_index', 'integer', required)
    .addColumn('epoch', 'integer', required)
    .addColumn('nomad_job_id', 'text', required)
    .addColumn('job_open', 'integer', required)
    .addColumn('job_modify_index', 'bigint')
    .addColumn('allocation_id', 'text')
    .addColumn('node_id', 'text')
    .addColumn('node_name', 'text')
    .addColumn('reason', 'text', required)
    .addColumn('detail', 'text', required)
    .addColumn('queued_ms', 'bigint', required)
    .addColumn('submitted_ms', 'bigint')
    .addColumn('placed_ms', 'bigint')
    .addColumn('claimed_ms', 'bigint')
    .addColumn('started_ms', 'bigint')
    .addColumn('finished_ms', 'bigint', required)
    .addPrimaryKeyConstraint('earlier_attempts_pk', ['build_id', 'slice_index', 'epoch'])
    .execute()
  await sql`create index earlier_attempts_job_open on earlier_attempts (build_id) where job_open = 1`.execute(
    database,
  )
}

async function addJobIndex(database: Kysely<unknown>): Promise<void> {
  // The newest builds of a job on any branch: how long its slices ran.
  const index = database.schema.createIndex('builds_job').on('builds')
  await index.columns(['org', 'repo', 'job', 'number']).execute()
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}
