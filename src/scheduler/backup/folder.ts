/** The files of a data directory that a backup may hold, and what they may be called. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CaravanError } from '../../model/index.ts'

/** Names below each folder. A backup is only a file: what it calls its parts is not to be trusted. */
const NAMES = {
  source: { folder: 'sources', pattern: /^[0-9a-f]{64}$/ },
  output: { folder: 'output', pattern: /^[0-9a-f]{24}\/\d{1,5}\/\d{1,5}\/\d{1,5}-\d{1,5}\.out$/ },
} as const

export type FolderKind = keyof typeof NAMES

/** Names of all files of the kind; none when there is no folder. */
export async function listNames(dataDir: string, kind: FolderKind): Promise<string[]> {
  const { folder, pattern } = NAMES[kind]
  try {
    const names = await readdir(join(dataDir, folder), { recursive: true })
    return names.filter((name) => pattern.test(name)).sort()
  } catch (cause) {
    if (isMissing(cause)) return []
    throw cause
  }
}

/** The bytes that the file has now, whatever is added meanwhile. */
export async function readNow(
  dataDir: string,
  kind: FolderKind,
  name: string,
): Promise<AsyncIterable<Buffer>> {
  const path = pathOf(dataDir, kind, name)
  const length = await lengthOf(path)
  if (length === 0) return emptyStream()
  return createReadStream(path, { end: length - 1 }) as AsyncIterable<Buffer>
}

/**
 * Writes the file unless what is there is as long or longer: output only grows, so that is the newer.
 *
 * @returns whether it was written.
 * @throws CaravanError INPUT_INVALID for a name that no file of ours has, or a source whose bytes are
 * not what its name says.
 */
export async function writeFileOf(
  dataDir: string,
  file: { kind: FolderKind; name: string; bytes: number },
  parts: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const { kind, name, bytes } = file
  const path = pathOf(dataDir, kind, name)
  if ((await lengthOf(path)) >= bytes) return false
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const part = `${path}.part`
  try {
    const digest = await write(part, parts)
    if (kind === 'source' && digest !== name) {
      throw new CaravanError('INPUT_INVALID', `the backup is damaged: source ${name} differs`)
    }
    await rename(part, path)
    return true
  } finally {
    await rm(part, { force: true })
  }
}

/** @returns the SHA-256 of what was written, in hex. */
async function write(path: string, parts: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'w', 0o600)
  try {
    for await (const bytes of parts) {
      hash.update(bytes)
      await file.appendFile(bytes)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

function pathOf(dataDir: string, kind: FolderKind, name: string): string {
  const { folder, pattern } = NAMES[kind]
  if (pattern.test(name)) return join(dataDir, folder, name)
  throw new CaravanError('INPUT_INVALID', `the backup is damaged: no ${kind} is named ${name}`)
}

async function lengthOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (cause) {
    if (isMissing(cause)) return 0
    throw cause
  }
}

async function* emptyStream(): AsyncGenerator<Buffer> {
  // Nothing to give.
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
}
