/** The entry point of every command that has none of its own: runs it, and turns its end into an exit code. */
import { EXIT, reportError } from './io.ts'
import { endProcessOf, openProcessIo } from './process-io.ts'

// A reader that went away is no fault; but a build that nobody follows any more has not succeeded, and has
// processes and folders to clear away.
const io = openProcessIo((interrupt) => {
  if (process.argv[2] !== 'run') process.exit(EXIT.ok)
  interrupt('nobody reads any more')
})

await endProcessOf(io, await main())

async function main(): Promise<number> {
  try {
    return await (await import('./program.ts')).runProgram(process.argv, io)
  } catch (error) {
    return reportError(io, error)
  }
}
