/** The master key of an installation: where it lies, how it is made, and what is derived from it. */
import { createHmac } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from '../model/index.ts'
import { CaravanError } from '../model/index.ts'
import { readNamedFile, systemRandom } from '../platform/index.ts'

const MASTER_KEY_BYTES = 32

/** The file that the settings name, or the one that a first start makes in the data directory. */
export function masterKeyFile(settings: Settings, dataDir: string): string {
  return settings.server.master_key_file ?? join(dataDir, 'master.key')
}

/**
 * Makes the key when there is none, unless the settings name a file.
 *
 * @throws CaravanError SETTINGS_INVALID when it cannot be read, or is none.
 */
export async function readMasterKey(settings: Settings, dataDir: string): Promise<Uint8Array> {
  const file = masterKeyFile(settings, dataDir)
  if (settings.server.master_key_file === undefined) {
    const fresh = Buffer.from(systemRandom.bytes(MASTER_KEY_BYTES)).toString('hex')
    // Exclusive: of two first starts at once, one wins and both use its key.
    await writeMasterKey(file, `${fresh}\n`)
  }
  const text = await readKeyText(file)
  if (text !== null) return parseKey(file, text)
  throw new CaravanError('SETTINGS_INVALID', `server.master_key_file: there is no ${file}`)
}

/** The key as it is kept, when there is one. @throws CaravanError SETTINGS_INVALID when it is none. */
export async function findMasterKey(
  settings: Settings,
  dataDir: string,
): Promise<{ text: string; fingerprint: string } | null> {
  const file = masterKeyFile(settings, dataDir)
  const text = await readKeyText(file)
  return text === null ? null : { text, fingerprint: toFingerprint(parseKey(file, text)) }
}

/** Never over a key that is there. */
export async function writeMasterKey(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** One key for each purpose: what leaks of one tells nothing of another. */
export function deriveKey(master: Uint8Array, purpose: string): Uint8Array {
  return createHmac('sha256', master).update(purpose).digest()
}

/** Tells whether two keys are the same, and nothing else of them. */
function toFingerprint(master: Uint8Array): string {
  return Buffer.from(deriveKey(master, 'fingerprint')).toString('hex').slice(0, 16)
}

async function readKeyText(file: string): Promise<string | null> {
  try {
    return await readNamedFile(file)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw new CaravanError('SETTINGS_INVALID', `server.master_key_file: cannot read ${file}`, {
      cause,
    })
  }
}

function parseKey(file: string, text: string): Uint8Array {
  if (/^[0-9a-f]{64,}$/i.test(text.trim())) return Buffer.from(text.trim(), 'hex')
  throw new CaravanError('SETTINGS_INVALID', `${file} must hold at least 64 hex digits`)
}
