/** `caravan restore FILE`: puts a backup in the place of what the store holds. */
import { resolve } from 'node:path'
import { CaravanError } from '../model/index.ts'
import { readSettings, systemClock, systemRandom } from '../platform/index.ts'
import { restore as restoreStore, type BackupManifest } from '../scheduler/index.ts'
import type { Io } from './io.ts'
import { EXIT, writeJsonLine } from './io.ts'
import { findMasterKey, masterKeyFile, writeMasterKey } from './master-key.ts'
import type { StoreOptions } from './serve-options.ts'

export interface RestoreOptions extends StoreOptions {
  force?: boolean
  json?: boolean
}

export async function restore(file: string, options: RestoreOptions, io: Io): Promise<number> {
  const settings = await readSettings({ flags: options, env: io.env })
  const dataDir = resolve(settings.server.data_dir)
  const { force = false } = options
  const keyFile = masterKeyFile(settings, dataDir)
  const takeKey = async (manifest: BackupManifest, key: string | null): Promise<void> => {
    const own = await findMasterKey(settings, dataDir)
    const isOther =
      own !== null && own.fingerprint !== (manifest.key_fingerprint ?? own.fingerprint)
    if (isOther && !force) throw new CaravanError('INPUT_INVALID', `${keyFile} ${OTHER_KEY}`)
    if (isOther) io.stderr.write(`${keyFile} is another master key: ${REFUSED}.\n`)
    else if (own === null && key !== null) await writeMasterKey(keyFile, key)
    else if (own === null) io.stderr.write(`Put the master key at ${keyFile}; else ${REFUSED}.\n`)
  }
  const report = await restoreStore({
    storeUrl: settings.store.url,
    dataDir,
    file,
    force,
    nowMs: systemClock.now(),
    random: systemRandom,
    takeKey,
  })
  const { builds, slices, files, created_at } = report
  if (options.json) await writeJsonLine(io.stdout, report)
  else {
    io.stdout.write(
      `Restored ${builds} builds with ${slices} slices and ${files} files, as of ${created_at}.\n`,
    )
  }
  io.stderr.write(
    'When the server starts next, it stops and purges the Nomad jobs of this installation ' +
      `(meta.install ${report.install_id}) that are newer than the backup, and logs each. ` +
      'Do not start it where another server still uses the same installation.\n',
  )
  return EXIT.ok
}

const REFUSED = 'agents that run now will be refused'
const OTHER_KEY =
  'is not the master key the backup was made with: put the right one there, ' +
  `or --force, and ${REFUSED}`
