/**
 * Where builds and slices are kept.
 *
 * Reads go through `store.read`; writes through `store.write`, one transaction each. The work of a
 * transaction awaits nothing but the store: whatever else it awaited would hold up every other write.
 * It may be run more than once before it is committed, so it changes nothing but what it writes.
 */
export type * from './tables.ts'
export * from './builds.ts'
export { endRestore, markRestored, readLastBuildNumber, takeBuildNumber } from './installation.ts'
export * from './slices.ts'
export * from './durations.ts'
export * from './earlier-attempts.ts'
export * from './reports.ts'
export * from './tokens.ts'
export { replaceRows } from './copy.ts'
export {
  openBackupFile,
  writeBackupFile,
  type BackupFile,
  type BackupManifest,
} from './backup-file.ts'
export { describeStore, openSnapshot, type Snapshot } from './snapshot.ts'
export { openStore, type Reader, type Store, type Writer } from './open.ts'
