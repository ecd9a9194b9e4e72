/** The process that a command runs in: its streams and signals. */
import { endProcess } from '../platform/index.ts'
import { EXIT, type Io } from './io.ts'

/** @param onUnread called when nobody reads stdout any more, as in `caravan builds list | head -1`. */
export function openProcessIo(onUnread: (interrupt: (why: string) => void) => void): Io {
  const interrupt = new AbortController()
  // The first signal asks the command to end in order; whoever sends a second one does not want to wait.
  const onSignal = (name: 'SIGINT' | 'SIGTERM') => {
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
    interrupt.abort(name)
  }
  process.on('SIGINT', () => onSignal('SIGINT'))
  process.on('SIGTERM', () => onSignal('SIGTERM'))
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isUnread(error)) throw error
    onUnread((why) => interrupt.abort(why))
  })
  // That nobody reads complaints is no reason to end what they are about.
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (!isUnread(error)) throw error
  })
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    signal: interrupt.signal,
  }
}

/** Whoever has asked a command to end does not want to wait for those who read it. */
const UNREAD_MS = 1000

/** Ends the process with this code, when what was written has been read. */
export function endProcessOf({ signal }: Io, code: number): Promise<never> {
  return endProcess(code, signal.aborted ? UNREAD_MS : undefined)
}

function isUnread({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED'
}
