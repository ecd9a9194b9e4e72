/** One stream of output as an open file. Nothing here waits for its turn: the store sees to that. */
import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface StreamFile {
  /** Bytes of the stream. */
  readonly length: number
  /** Adds to the end. When it throws, the file may hold a part of the bytes: open it anew. */
  append(bytes: Buffer): Promise<void>
  /** Hex SHA-256 of the whole stream. */
  sha256(): Promise<string>
  close(): Promise<void>
}

/** Large enough that reading back costs few system calls, small enough to hold for every stream. */
const READ_BYTES = 1024 * 1024

/** The length of a file that may not be there yet, which then is 0. */
export async function readLength(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (cause) {
    if (isMissing(cause)) return 0
    throw cause
  }
}

/**
 * Opens the file, or makes it. The length is what the file says: after a crash it holds a prefix of
 * what was being written, and every byte of a prefix is a right one.
 */
export async function openStreamFile(file: string): Promise<StreamFile> {
  // Not O_APPEND: Linux then ignores the position, and a write after a failed one would leave a gap.
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
  const handle = await openInFolder(file, flags)
  const digest = createDigest(handle)
  let length = (await handle.stat()).size
  return {
    get length() {
      return length
    },
    async append(bytes) {
      const written = writeAll(handle, bytes, length)
      // While the kernel copies, this thread would idle: hash meanwhile.
      digest.add(bytes, length)
      await written
      length += bytes.length
    },
    sha256: () => digest.finish(length),
    close: () => handle.close(),
  }
}

/** The folder is made on the first miss only: most streams share theirs with an earlier step. */
async function openInFolder(file: string, flags: number): Promise<FileHandle> {
  try {
    return await open(file, flags, 0o600)
  } catch (cause) {
    if (!isMissing(cause)) throw cause
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    return open(file, flags, 0o600)
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/**
 * Hashes what passes by; what it has not seen (bytes from before a restart) is read back only when
 * the hash is asked for.
 */
function createDigest(handle: FileHandle) {
  const hash: Hash = createHash('sha256')
  let hashed = 0
  return {
    add(bytes: Buffer, position: number): void {
      if (position !== hashed) return
      hash.update(bytes)
      hashed += bytes.length
    },
    async finish(length: number): Promise<string> {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(length - hashed, 0)))
      while (hashed < length) {
        const want = Math.min(buffer.length, length - hashed)
        const { bytesRead } = await handle.read(buffer, 0, want, hashed)
        if (bytesRead === 0) throw new Error(`the output file ends at ${hashed}, not at ${length}`)
        hash.update(buffer.subarray(0, bytesRead))
        hashed += bytesRead
      }
      return hash.copy().digest('hex')
    },
  }
}
