/** A folder that people named: made when it is missing, or refused in their words. */
import { constants } from 'node:fs'
import { access, mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CaravanError } from '../model/index.ts'

/**
 * Makes the folder when it is not there, for nobody but this user: it may come to hold secrets.
 *
 * @param name of the flag or setting that names it, for the message.
 * @throws CaravanError SETTINGS_INVALID when it cannot be made, is none, or cannot be written to.
 */
export async function prepareFolder(folder: string, name: string): Promise<void> {
  try {
    await makeFolder(folder)
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (cause) {
    const why = FAULTS[(cause as NodeJS.ErrnoException).code ?? '']
    const sentence = why ?? 'it cannot be used'
    const message = `${name}: ${folder}: ${sentence}; name another folder`
    throw new CaravanError('SETTINGS_INVALID', message, why === undefined ? { cause } : {})
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a file stands in the way',
  ENOENT: 'no folder can be made there',
  ENOSPC: 'the disk is full',
}

const OWN = { mode: 0o700 }

/** Not `recursive`: below /proc, where nothing can be made, Node.js never comes back from it. */
async function makeFolder(folder: string, options: { mode?: number } = OWN): Promise<void> {
  try {
    await mkdir(folder, options)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' && dirname(folder) !== folder) {
      await makeFolder(dirname(folder), {})
      // Somebody else may have made it meanwhile.
      await mkdir(folder, options).catch((error: unknown) => acceptExisting(folder, error))
    } else await acceptExisting(folder, cause)
  }
}

/** A read-only file system says EROFS of a folder that is there, too. */
async function acceptExisting(folder: string, cause: unknown): Promise<void> {
  const found = await stat(folder).catch(() => null)
  if (found?.isDirectory()) return
  throw found === null ? cause : Object.assign(new Error('not a folder'), { code: 'ENOTDIR' })
}
