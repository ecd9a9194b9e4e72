/**
 * The command line: the groups of commands, each with its own table.
 *
 * A table loads nothing of what its commands do, so that `--help` stays instant and the agent loads nothing of
 * the server.
 */
import { Command, CommanderError } from 'commander'
import { addBuilds, addRun } from './builds/commands.ts'
import { addConfig } from './config/commands.ts'
import { addFleet } from './fleet/commands.ts'
import type { AddCommands, Finish } from './flags.ts'
import { addDoctor, addPrograms, addUpgrade, addVersion } from './installation-commands.ts'
import { EXIT, type Io } from './io.ts'
import { addDev, addServer } from './serve-commands.ts'
import { addStore, addTokens } from './store-commands.ts'
import { VERSION } from './version.ts'

/** In the order of `--help`: what people do every day comes first. */
const GROUPS: readonly AddCommands[] = [
  addRun,
  addConfig,
  addDev,
  addServer,
  addBuilds,
  addStore,
  addTokens,
  addFleet,
  addDoctor,
  addUpgrade,
  addPrograms,
  addVersion,
]

/** @returns the exit code. Throws what the command throws. */
export async function runProgram(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.ok
  try {
    await createProgram(io, (code) => (exitCode = code)).parseAsync(argv)
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Commander has said what is wrong already; help that was asked for is a success.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
}

export function createProgram(io: Io, finish: Finish): Command {
  const program = new Command('caravan')
    .description('CI on HashiCorp Nomad: every parallel slice of a job is one Nomad batch job.')
    .version(VERSION, '-V, --version')
    .showHelpAfterError('(caravan --help lists the commands)')
    // A command and the one below it may have flags of the same name.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    })
  for (const add of GROUPS) add(program, io, finish)
  return program
}
