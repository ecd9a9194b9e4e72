/**
 * The pipe that a step writes to.
 *
 * What the runtime calls a pipe is a pair of sockets, and `echo x > /dev/stderr`, which build scripts are
 * fond of, can not open a socket. So steps get a named pipe, whose two ends are opened here. One pipe serves
 * stdout and stderr: the order of what was written is the kernel's.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { CaravanError } from '../../model/index.ts'
import { type Clock, deadline, exec } from '../../platform/index.ts'

/**
/**
 * Made before it is known how many steps there are, since making them takes a process of its own; nearly
 * every job has fewer.
 */
export const PIPES_AHEAD = 32

/**
 * Makes one named pipe for each step, in one go.
 *
 * @param how `ready`: how many of them are there already. `mode`: as `mkfifo` takes it.
 * @returns the paths of all.
 */
export async function makePipes(
  folder: string,
  count: number,
  { ready = 0, mode = '600' }: { ready?: number; mode?: string } = {},
): Promise<string[]> {
  const paths = Array.from({ length: count }, (_, index) => join(folder, `${index}`))
  for (let at = ready; at < count; at += PATHS_MAX) {
    const batch = paths.slice(at, at + PATHS_MAX)
    await mkfifo(batch, mode)
  }
  return paths
}

/** Makes one named pipe. */
export async function makePipe(path: string, mode: string): Promise<void> {
  await mkfifo([path], mode)
}

async function mkfifo(paths: readonly string[], mode: string): Promise<void> {
  const made = await exec('mkfifo', ['-m', mode, ...paths], { timeoutMs: MAKE_TIMEOUT_MS })
  if (made.code !== 0) throw new CaravanError('INTERNAL', `mkfifo failed: ${made.stderr.trim()}`)
}

/** Keeps the argument list far from what an exec takes. */
const PATHS_MAX = 500
const MAKE_TIMEOUT_MS = 30_000
/** The kernel's pipe holds 64 KiB; a larger buffer would never fill. */
const READ_BYTES = 64 * 1024

/**
 * A process that stood still, on a machine that is out of breath, finds its timers due before it has looked
 * at its pipes: then one part of the time is over, and not what came meanwhile lost.
 */
const LIMIT_PARTS = 10

/** Takes bytes that are only good until it returns. False holds the writers back until `resume`. */
export type OnBytes = (bytes: Buffer) => boolean

export class StepPipe {
  /** What a command gets as its stdout and stderr. */
  readonly writeEnd: number
  readonly #socket: Socket
  readonly #closed: Promise<void>
  #onBytes: OnBytes
  #isHeldBack = false
  #isOpen = true

  constructor(path: string, onBytes: OnBytes) {
    this.#onBytes = onBytes
    // The reading end first and without waiting, since either end alone waits for the other.
    const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    this.writeEnd = openSync(path, constants.O_WRONLY)
    const onread = {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (length: number, buffer: Uint8Array) =>
        this.#take(Buffer.from(buffer.buffer, 0, length)),
    }
    this.#socket = new Socket({ fd: readEnd, readable: true, writable: false, onread })
    this.#closed = new Promise((resolve) => this.#socket.once('close', () => resolve()))
    // A pipe that can not be read any more has ended, whatever the reason.
    this.#socket.on('error', () => this.#socket.destroy())
  }

  /** There is room for more. @returns whether anybody was held back. */
  resume(): boolean {
    if (!this.#isHeldBack) return false
    this.#isHeldBack = false
    this.#socket.resume()
    return true
  }

  /**
   * The last command is over: reads what is left.
   *
   * @returns false when somebody still holds the pipe after `limitMs`.
   */
  async finish(clock: Clock, limitMs: number): Promise<boolean> {
    this.#closeWriteEnd()
    let partsLeft = LIMIT_PARTS
    while (partsLeft > 0) {
      const limit = deadline(clock, limitMs / LIMIT_PARTS)
      const late = new Promise<'late'>((resolve) => {
        limit.signal.addEventListener('abort', () => resolve('late'), { once: true })
      })
      const outcome = await Promise.race([this.#closed, late])
      limit.cancel()
      if (outcome !== 'late') return true
      // Time in which we ourselves held the writers back does not count.
      partsLeft = this.#isHeldBack ? LIMIT_PARTS : partsLeft - 1
    }
    return false
  }

  /**
   * Reads on and keeps nothing, so that whoever still writes neither waits nor dies. Does not keep the agent
   * from ending.
   */
  abandon(): void {
    this.#closeWriteEnd()
    this.#onBytes = () => true
    this.resume()
    this.#socket.unref()
  }

  #take(bytes: Buffer): boolean {
    const more = this.#onBytes(bytes)
    this.#isHeldBack = !more
    return more
  }

  #closeWriteEnd(): void {
    if (this.#isOpen) closeSync(this.writeEnd)
    this.#isOpen = false
  }
}
