/** The entry point of every command but the build-agent: parses the command line, runs one command, turns its end into an exit code. */
import type { Io } from './io.ts'
import { EXIT, reportError } from './io.ts'

const interrupt = new AbortController()
const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  signal: interrupt.signal,
}

process.on('SIGINT', () => onSignal('SIGINT'))
process.on('SIGTERM', () => onSignal('SIGTERM'))
// A reader that went away, as in `caravan builds list | head -1`, is no fault; but a build that nobody
// follows any more has not succeeded, and has processes and folders to clear away.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error
  // Whoever only counts what happens goes on counting.
  if (process.argv[2] === 'metrics') return
  if (process.argv[2] !== 'run') process.exit(EXIT.ok)
  interrupt.abort('nobody reads any more')
})

// That nobody reads complaints is no reason to end what they are about.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error
})

process.exitCode = await main()

async function main(): Promise<number> {
  const [, , command, ...rest] = process.argv
  try {
    if (command === 'metrics') {
      // One on each client: it reads its own flags, and does without the table of commands.
      return await (await import('./metrics/start.ts')).metrics(rest, io)
    }
    return await (await import('./program.ts')).runProgram(process.argv, io)
  } catch (error) {
    return reportError(io, error)
  }
}

/** The first signal asks the command to end in order; whoever sends a second one does not want to wait. */
function onSignal(name: 'SIGINT' | 'SIGTERM'): void {
  if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
  interrupt.abort(name)
}
