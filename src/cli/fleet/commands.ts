/** `caravan fleet`: the noun, with all its commands. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { addHandCommands } from './hand-commands.ts'

export function addFleet(program: Command, io: Io, finish: (exitCode: number) => void): void {
  const fleet = program
    .command('fleet')
    .description('the machines of the cluster: drain them, let them go, check what keeps them')
  addHandCommands(fleet, io, finish)
}
