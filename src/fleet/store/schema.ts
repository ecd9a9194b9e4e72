/** The tables of the fleet's file. */
import type { DatabaseSync } from 'node:sqlite'

/** Each is applied once, in this order; a new version only adds to the end. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE lease (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     holder TEXT NOT NULL,
     fence INTEGER NOT NULL,
     until_ms INTEGER NOT NULL,
     renewals INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE memory (pool TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;
   CREATE TABLE intents (
     id TEXT PRIMARY KEY,
     fence INTEGER NOT NULL,
     at_ms INTEGER NOT NULL,
     json TEXT NOT NULL,
     ended_ms INTEGER,
     outcome TEXT
   ) STRICT;
   CREATE INDEX intents_open ON intents (at_ms) WHERE ended_ms IS NULL;
   CREATE INDEX intents_ended ON intents (ended_ms) WHERE ended_ms IS NOT NULL;
   CREATE TABLE ticks (
     id INTEGER PRIMARY KEY,
     at_ms INTEGER NOT NULL,
     fence INTEGER NOT NULL,
     json TEXT NOT NULL
   ) STRICT;
   CREATE INDEX ticks_at ON ticks (at_ms);
   CREATE TABLE pins (node TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) STRICT;
   CREATE TABLE sizes (
     pool TEXT PRIMARY KEY,
     size INTEGER NOT NULL,
     until_ms INTEGER NOT NULL
   ) STRICT;`,
  // What is remembered of a machine has a row of its own: of a thousand, a look changes a few.
  `CREATE TABLE units (
     pool TEXT NOT NULL,
     instance TEXT NOT NULL,
     json TEXT NOT NULL,
     PRIMARY KEY (pool, instance)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO units SELECT pool, unit.key, unit.value
     FROM memory, json_each(memory.json, '$.units') AS unit;
   UPDATE memory SET json = json_remove(json, '$.units');`,
]

/** @throws Error when the file is of a newer version. */
export function migrate(database: DatabaseSync): void {
  const row = database.prepare('PRAGMA user_version').get() as { user_version: number }
  if (row.user_version > MIGRATIONS.length) {
    throw new Error(`it was written by a newer version (${row.user_version})`)
  }
  for (let at = row.user_version; at < MIGRATIONS.length; at++) {
    database.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[at]}; PRAGMA user_version = ${at + 1}; COMMIT`)
  }
}
