/**
 * The one folder that a job's containers share with the machine.
 *
 * The container sees it read-only, save for the part `out`, and the host keeps others out by its parent.
 * Whatever comes out of `out` may have been put there by a step: nothing in it is followed.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { chmod, mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { makePipe } from '../../process/pipe.ts'
import type { Folders } from '../../workspace.ts'
import { SHIM, STEP_SCRIPT, TARGET } from './scripts.ts'

export interface Bridge {
  /** `source:target[:ro]` of its mounts. */
  readonly binds: readonly string[]
  pathOf(file: string): string
  /** Makes ready for command `id`. */
  prepare(id: string): Promise<void>
  /** What the wrapper wrote so far; null before. */
  read(id: string, what: 'pid' | 'status'): Promise<string | null>
  /** Whether any step asked for an early end since the last question, or before. */
  isHalted(): boolean
  /** Ends the keeper of the container, too. */
  close(): void
}

/** The folders of a job in containers: everything that commands look at lies in the bridge. */
export function toContainerFolders(folders: Folders): Folders {
  const bridge = join(folders.internalDir, 'bridge')
  return {
    ...folders,
    shimsDir: join(bridge, 'bin'),
    scriptsDir: join(bridge, 'scripts'),
    pipesDir: join(bridge, 'pipes'),
    bundleFile: join(bridge, 'source.bundle'),
    bashEnvFile: join(bridge, 'out', 'bash_env'),
    // Users of a container have numbers of their own; the parent folder keeps those of the host out.
    fileMode: 0o644,
  }
}

/** Room for whatever number the wrapper writes, and its newline. */
const BLANK = ' '.repeat(15)
const REQUEST_BYTES = 4096

export async function createBridge(folders: Folders): Promise<Bridge> {
  const bridge = join(folders.internalDir, 'bridge')
  const out = join(bridge, 'out')
  for (const folder of [bridge, folders.shimsDir, folders.scriptsDir, folders.pipesDir, out]) {
    await mkdir(folder, { recursive: true })
    await chmod(folder, folder === out ? 0o777 : 0o755)
  }
  await writeWithMode(join(bridge, 'step.sh'), STEP_SCRIPT, 0o644)
  await writeWithMode(folders.bashEnvFile, '', 0o666)
  for (const name of ['circleci', 'circleci-agent']) {
    await writeWithMode(join(folders.shimsDir, name), SHIM, 0o755)
  }
  const [hold, requests] = [join(bridge, 'hold'), join(bridge, 'requests')]
  await makePipe(hold, '666')
  await makePipe(requests, '666')
  // Both ends, so that nobody who opens the other one has to wait for us or finds nobody.
  const flags = constants.O_RDWR | constants.O_NONBLOCK
  const pipes = { hold: openSync(hold, flags), requests: openSync(requests, flags) }
  let isOpen = true
  let halted = false
  return {
    binds: [`${bridge}:${TARGET}:ro`, `${out}:${TARGET}/out`],
    pathOf: (file) => join(TARGET, relative(bridge, file)),
    async prepare(id) {
      await writeBlank(join(out, `${id}.pid`))
      await writeBlank(join(out, `${id}.status`))
    },
    read: async (id, what) => await readWritten(join(out, `${id}.${what}`)),
    isHalted() {
      if (isOpen) halted = readRequests(pipes.requests).includes('step halt') || halted
      return halted
    },
    close() {
      if (!isOpen) return
      isOpen = false
      closeSync(pipes.hold)
      closeSync(pipes.requests)
    },
  }
}

async function writeWithMode(file: string, text: string, mode: number): Promise<void> {
  await writeFile(file, text)
  await chmod(file, mode)
}

/** A step may have put anything in its place: it is never written through. */
async function writeBlank(path: string): Promise<void> {
  await rm(path, { force: true, recursive: true })
  const file = await open(path, 'wx')
  try {
    await file.chmod(0o666)
    await file.writeFile(`${BLANK}\n`)
  } finally {
    await file.close()
  }
}

/** @returns the first word of a line that was written to its end. */
async function readWritten(path: string): Promise<string | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(path, flags).catch(() => null)
  if (file === null) return null
  try {
    if (!(await file.stat()).isFile()) return null
    const { buffer, bytesRead } = await file.read(Buffer.alloc(BLANK.length), 0, BLANK.length, 0)
    return /^(\w+)\n/.exec(buffer.toString('latin1', 0, bytesRead))?.[1] ?? null
  } finally {
    await file.close()
  }
}

function readRequests(fd: number): string[] {
  const bytes = Buffer.alloc(REQUEST_BYTES)
  let text = ''
  for (;;) {
    try {
      const length = readSync(fd, bytes)
      if (length === 0) break
      // What a step floods us with is read, so that nobody waits, and not kept.
      text = (text + bytes.toString('latin1', 0, length)).slice(-2 * REQUEST_BYTES)
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN') break
      throw cause
    }
  }
  return text.split('\n')
}
