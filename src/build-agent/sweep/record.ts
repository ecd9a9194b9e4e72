/**
 * What lies in a spool folder beside the output: whose it is, and what it can be delivered with.
 *
 * The session is a secret of the slice: the folder is for its owner's eyes only, as the agent's memory is.
 */
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const record = z.object({
  url: z.string(),
  slice: z.string(),
  epoch: z.number().int().min(1),
  session: z.string(),
  chunk_bytes: z.number().int().positive(),
  /** The process that fills the spool, and what tells it from a later one with the same number. */
  pid: z.number().int(),
  birth: z.string(),
})
export type SpoolRecord = z.infer<typeof record>

const FILE = 'spool.json'
const NEW_FILE = 'spool.json.new'

export async function writeRecord(
  folder: string,
  known: Omit<SpoolRecord, 'pid' | 'birth'>,
): Promise<void> {
  const own = { ...known, pid: process.pid, birth: await readBirth(process.pid) }
  // Whole or not there: half a record would belong to nobody for ever.
  await writeFile(join(folder, NEW_FILE), JSON.stringify(own), { mode: 0o600 })
  await rename(join(folder, NEW_FILE), join(folder, FILE))
}

/** @returns null when the folder is no spool, or one that was never in use. */
export async function readRecord(folder: string): Promise<SpoolRecord | null> {
  try {
    return record.parse(JSON.parse(await readFile(join(folder, FILE), 'utf8')))
  } catch {
    // Not there, or cut off by a kill: then nothing was accepted, and nothing is in it.
    return null
  }
}

/** Whether an agent made it and had not begun to use it. */
export async function isUnused(folder: string): Promise<boolean> {
  const names = await readdir(folder)
  return names.every((name) => name === NEW_FILE)
}

/** Whether the process that fills the spool still runs. */
export async function isInUse(spool: SpoolRecord): Promise<boolean> {
  return await isSameProcess(spool)
}

/** Whether a process still runs that was known by number and birth. */
export async function isSameProcess({
  pid,
  birth,
}: {
  pid: number
  birth: string
}): Promise<boolean> {
  return birth !== '' && (await readBirth(pid)) === birth
}

/** When the process started, in ticks since a boot that is named too; empty when there is no such process. */
export async function readBirth(pid: number): Promise<string> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ])
    // The name, in parentheses, may hold anything; the start is the 20th field behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? '' : `${boot.trim()}/${fields[19] ?? ''}`
  } catch {
    return ''
  }
}
