/** Uploaded git bundles: one file each, named by the SHA-256 of its bytes. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { CaravanError } from '../model/index.ts'
import type { RandomSource } from '../platform/index.ts'

export interface Sources {
  /**
   * @returns the SHA-256 of the bytes, in hex.
   * @throws CaravanError TOO_LARGE; INPUT_INVALID when they are no git bundle.
   */
  store(bytes: Readable): Promise<string>
  has(id: string): Promise<boolean>
  /** Removes what an upload left behind that was cut short with its server. */
  tidy(): Promise<void>
  /** Null when there is no such bundle. */
  open(id: string): Promise<{ bytes: Readable; length: number } | null>
}

/** Ends the name of a file that is still being written. */
const PART = '.part'

/** A history of this size is better cloned from where it lives. */
const SOURCE_BYTES_MAX = 2 * 1024 ** 3

export function createSources(deps: {
  directory: string
  random: RandomSource
  bytesMax?: number
}): Sources {
  const { directory, random, bytesMax = SOURCE_BYTES_MAX } = deps
  const fileOf = (id: string) => join(directory, id)

  return {
    async tidy() {
      await mkdir(directory, { recursive: true })
      const names = await readdir(directory)
      const parts = names.filter((name) => name.endsWith(PART))
      await Promise.all(parts.map((name) => rm(fileOf(name), { force: true })))
    },
    async store(bytes) {
      await mkdir(directory, { recursive: true })
      const part = fileOf(Buffer.from(random.bytes(8)).toString('hex') + PART)
      try {
        const id = await write(part, bytes, bytesMax)
        await rename(part, fileOf(id))
        await syncFolder(directory)
        return id
      } finally {
        await rm(part, { force: true })
      }
    },
    async has(id) {
      const found = await openFile(fileOf(id))
      await found?.close()
      return found !== null
    },
    async open(id) {
      const file = await openFile(fileOf(id))
      if (file === null) return null
      const { size } = await file.stat()
      return { bytes: createReadStream('', { fd: file, autoClose: true }), length: size }
    },
  }
}

/** Written and synced before it gets its name: a bundle that is there is whole, also after a power cut. */
async function write(path: string, bytes: Readable, bytesMax: number): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'wx', 0o600)
  try {
    let length = 0
    let head = Buffer.alloc(0)
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      length += chunk.length
      if (head.length < HEAD_BYTES) {
        head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)])
        checkHead(head)
      }
      if (length > bytesMax) {
        throw new CaravanError(
          'TOO_LARGE',
          `the source is larger than ${bytesMax} bytes: give --repo-url and --sha instead`,
        )
      }
      hash.update(chunk)
      await file.appendFile(chunk)
    }
    if (length === 0) throw noBundle('it is empty')
    checkHead(head, true)
    await file.sync()
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

/** How every bundle begins, in the two versions that git knows. @see gitformat-bundle(5) */
const HEADS = ['# v2 git bundle\n', '# v3 git bundle\n'].map((text) => Buffer.from(text))
const HEAD_BYTES = 16

/** Garbage is refused with its first bytes, not when all of it is on the disk. */
function checkHead(head: Buffer, isWhole = false): void {
  const fits = HEADS.some((each) =>
    isWhole ? each.equals(head) : each.subarray(0, head.length).equals(head),
  )
  if (!fits) throw noBundle('it does not begin like one')
}

function noBundle(why: string): CaravanError {
  return new CaravanError(
    'INPUT_INVALID',
    `the source is no git bundle, ${why}: send what \`git bundle create\` writes`,
  )
}

async function openFile(path: string) {
  try {
    return await open(path, 'r')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
