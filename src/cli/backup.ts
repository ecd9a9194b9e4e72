/** `caravan backup FILE`: the store and what belongs to it, as one file; the server may run. */
import { resolve } from 'node:path'
import { readSettings, systemClock, systemRandom } from '../platform/index.ts'
import { backUp, type BackUpReport } from '../scheduler/index.ts'
import type { Io } from './io.ts'
import { EXIT, writeJsonLine } from './io.ts'
import { findMasterKey, masterKeyFile } from './master-key.ts'
import type { StoreOptions } from './serve-options.ts'
import { VERSION } from './version.ts'

export interface BackupOptions extends StoreOptions {
  force?: boolean
  withOutput?: boolean
  withSources?: boolean
  withMasterKey?: boolean
  json?: boolean
}

export async function backup(file: string, options: BackupOptions, io: Io): Promise<number> {
  const settings = await readSettings({ flags: options, env: io.env })
  const dataDir = resolve(settings.server.data_dir)
  const masterKey = await findMasterKey(settings, dataDir)
  const { force = false, withOutput = false, withSources = false, withMasterKey = false } = options
  const report = await backUp({
    storeUrl: settings.store.url,
    dataDir,
    file,
    force,
    withOutput,
    withSources,
    masterKey,
    withMasterKey,
    version: VERSION,
    nowMs: systemClock.now(),
    random: systemRandom,
  })
  if (options.json) await writeJsonLine(io.stdout, report)
  else io.stdout.write(toText(report))
  io.stderr.write(
    report.master_key
      ? 'The master key is in it: whoever has this file can speak for this installation.\n'
      : `The master key is not in it: keep ${masterKeyFile(settings, dataDir)} elsewhere.\n`,
  )
  if (!withOutput) io.stderr.write('The output of steps is not in it (--with-output).\n')
  return EXIT.ok
}

function toText({ file, builds, slices, sources, outputs, bytes }: BackUpReport): string {
  const files = `${sources} sources and ${outputs} outputs (${bytes} bytes)`
  return `${file}: ${builds} builds with ${slices} slices, ${files}\n`
}
