/** The table of `caravan fleet` commands for the controller, and for those who look at it. */
import { Option, type Command } from 'commander'
import {
  logFormatOption,
  logLevelOption,
  serverOption,
  settingsOption,
  toCodesHelp,
  toDuration,
  toIndex,
  toWhole,
  tokenOption,
  type Finish,
} from '../flags.ts'
import type { Io } from '../io.ts'

/** @param fleet the command that they become part of. */
export function addControllerCommands(fleet: Command, io: Io, finish: Finish): void {
  const acting = (name: string, description: string) =>
    withStore(fleet, name, description)
      .option('--dry-run', 'change nothing; tell what would be')
      .addOption(logLevelOption())
  withServer(acting('run', 'the controller: keeps the pools as large as the queue needs'))
    .addOption(logFormatOption())
    .addHelpText('after', toCodesHelp({ 0: 'stopped by a signal', ...FAULTS }))
    .action(async (options) => finish(await (await import('./run.ts')).runCommand(options, io)))
  withServer(acting('tick', 'one step of the controller, for cron; also for polling runners'))
    .addHelpText(
      'after',
      toCodesHelp({ 0: 'the step was made', 1: 'another controller acts', ...READING }),
    )
    .action(async (options) => finish(await (await import('./tick.ts')).tickCommand(options, io)))
  withServer(withStore(fleet, 'status', 'pools, machines, drains, hooks'))
    .addHelpText('after', toCodesHelp({ 0: 'all was read', ...READING }))
    .action(async (options) =>
      finish(await (await import('./status.ts')).statusCommand(options, io)),
    )
  withStore(fleet, 'explain', 'why the fleet did what it did')
    .option('--at <time>', 'the step that was made then, such as 2026-01-31T12:00:00Z')
    .option('--node <id>', 'the steps that tell of this instance or node')
    .option('--limit <n>', 'how many steps, newest first', toSteps, 20)
    .addHelpText('after', toCodesHelp({ 0: 'told', 1: 'nothing is stored of it', ...FAULTS }))
    .action(async (options) =>
      finish(await (await import('./explain.ts')).explainCommand(options, io)),
    )
  withStore(fleet, 'scale', 'keep at least so many nodes for some time')
    .argument('<pool>', 'one of the settings')
    .argument('<nodes>', 'how many', toIndex)
    .addOption(
      new Option('--for <duration>', 'how long').argParser(toDuration).default(3_600_000, '1h'),
    )
    .option('--dry-run', 'store nothing')
    .addHelpText('after', toCodesHelp({ 0: 'stored', ...FAULTS }))
    .action(async (pool: string, nodes: number, options) => {
      const { scaleCommand } = await import('./orders.ts')
      finish(await scaleCommand(pool, nodes, options, io))
    })
  withStore(fleet, 'pin <node>', 'keep a node: the fleet does not end it, whatever its reason')
    .option('--until <time>', 'a time, or a duration such as 4h')
    .option('--remove', 'end it now')
    .option('--dry-run', 'store nothing')
    .addHelpText('after', toCodesHelp({ 0: 'stored', ...FAULTS }))
    .action(async (node: string, options) =>
      finish(await (await import('./orders.ts')).pinCommand(node, options, io)),
    )
}

const FAULTS = { 2: 'bad settings, or bad input', 3: 'the store, or Nomad, can not be used' }
const READING = { 2: 'bad settings, or bad input', 3: 'something could not be read' }

/** As many as are kept. */
const toSteps = (text: string) => toWhole(text, 1, 20_000)

function withStore(fleet: Command, name: string, description: string): Command {
  return fleet
    .command(name)
    .description(description)
    .addOption(settingsOption())
    .option('--data <dir>', 'where the fleet keeps its store')
    .option('--nomad <url>', 'address of Nomad (NOMAD_ADDR)')
    .option('--json', 'print JSON, one object a line')
}

function withServer(command: Command): Command {
  return command
    .addOption(serverOption('the Caravan server whose queue counts'))
    .addOption(tokenOption())
}
