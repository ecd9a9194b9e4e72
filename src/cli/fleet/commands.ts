/** `caravan fleet`: the noun, with all its commands. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { addControllerCommands } from './controller-commands.ts'
import { addHandCommands } from './hand-commands.ts'

export function addFleet(program: Command, io: Io, finish: (exitCode: number) => void): void {
  const fleet = program
    .command('fleet')
    .description('the machines of the cluster: size them by the queue, drain them, let them go')
  addControllerCommands(fleet, io, finish)
  addHandCommands(fleet, io, finish)
}
