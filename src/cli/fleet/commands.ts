/** `caravan fleet`: the noun, with all its commands. */
import type { Command } from 'commander'
import type { Finish } from '../flags.ts'
import type { Io } from '../io.ts'
import { addControllerCommands } from './controller-commands.ts'
import { addHandCommands } from './hand-commands.ts'

export function addFleet(program: Command, io: Io, finish: Finish): void {
  const fleet = program
    .command('fleet')
    .description('the machines of the cluster: size them by the queue, drain them, let them go')
  addControllerCommands(fleet, io, finish)
  addHandCommands(fleet, io, finish)
}
