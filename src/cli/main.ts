/** The entry point: parses the command line, runs one command, turns its end into an exit code. */
import { CommanderError } from 'commander'
import type { Io } from './io.ts'
import { EXIT, reportError } from './io.ts'
import { createProgram } from './program.ts'

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
// A reader that went away, as in `caravan builds list | head -1`, is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})

process.exitCode = await main()

async function main(): Promise<number> {
  let exitCode: number = EXIT.ok
  const program = createProgram(io, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync(process.argv)
    return exitCode
  } catch (error) {
    // Commander has said what is wrong already; help that was asked for is a success.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    return reportError(io, error)
  }
}

/** The first signal asks the command to end in order; whoever sends a second one does not want to wait. */
function onSignal(name: 'SIGINT' | 'SIGTERM'): void {
  if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
  interrupt.abort(name)
}
