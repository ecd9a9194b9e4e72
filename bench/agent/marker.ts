/** A named pipe through which a step says that it is running, by the clock of the bench. */
import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { exec } from '../../src/platform/index.ts'
import { machineMs } from './machine.ts'

const EXEC_TIMEOUT_MS = 10_000

export interface Marker {
  /** What the step runs: it neither starts a process nor waits. */
  command: string
  /** When the command runs next, in machine milliseconds. */
  next(): Promise<number>
  close(): void
}

/** @param path of a file that does not exist yet. */
export async function createMarker(path: string): Promise<Marker> {
  await exec('mkfifo', ['-m', '600', path], { timeoutMs: EXEC_TIMEOUT_MS })
  // Open for both, so that it does not end when a step closes its end.
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const socket = new Socket({ fd, readable: true, writable: false })
  let take: (ms: number) => void = () => undefined
  socket.on('data', () => take(machineMs()))
  return {
    command: `echo > '${path}'`,
    next: () => new Promise((resolve) => (take = resolve)),
    close: () => socket.destroy(),
  }
}
