/** The table of `caravan fleet` commands for the controller, and for those who look at it. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { parseDurationMs } from '../../model/index.ts'
import type { Io } from '../io.ts'

type Finish = (exitCode: number) => void

/** @param fleet the command that they become part of. */
export function addControllerCommands(fleet: Command, io: Io, finish: Finish): void {
  const acting = (name: string, description: string) =>
    withStore(fleet, name, description)
      .option('--dry-run', 'change nothing; tell what would be')
      .addOption(
        new Option('--log-level <level>', 'least important line to log')
          .choices(['debug', 'info', 'warn', 'error'])
          .env('CARAVAN_LOG_LEVEL'),
      )
  withServer(acting('run', 'the controller: keeps the pools as large as the queue needs'))
    .addOption(new Option('--log-format <format>', 'log lines').choices(['text', 'json']))
    .action(async (options) => finish(await (await import('./run.ts')).runCommand(options, io)))
  withServer(
    acting('tick', 'one step of the controller, for cron; also for polling runners'),
  ).action(async (options) => finish(await (await import('./tick.ts')).tickCommand(options, io)))
  withServer(withStore(fleet, 'status', 'pools, machines, drains, hooks')).action(async (options) =>
    finish(await (await import('./status.ts')).statusCommand(options, io)),
  )
  withStore(fleet, 'explain', 'why the fleet did what it did')
    .option('--at <time>', 'the step that was made then, such as 2026-01-31T12:00:00Z')
    .option('--node <id>', 'the steps that tell of this instance or node')
    .option('--limit <n>', 'how many steps, newest first', toCount, 20)
    .action(async (options) =>
      finish(await (await import('./explain.ts')).explainCommand(options, io)),
    )
  withStore(fleet, 'scale', 'keep at least so many nodes for some time')
    .argument('<pool>', 'one of the settings')
    .argument('<nodes>', 'how many', toCount)
    .option('--for <duration>', 'how long', toDuration, 3_600_000)
    .option('--dry-run', 'store nothing')
    .action(async (pool: string, nodes: number, options) => {
      const { scaleCommand } = await import('./orders.ts')
      finish(await scaleCommand(pool, nodes, options, io))
    })
  withStore(fleet, 'pin <node>', 'keep a node: the fleet does not end it, whatever its reason')
    .option('--until <time>', 'a time, or a duration such as 4h')
    .option('--remove', 'end it now')
    .option('--dry-run', 'store nothing')
    .action(async (node: string, options) =>
      finish(await (await import('./orders.ts')).pinCommand(node, options, io)),
    )
}

function withStore(fleet: Command, name: string, description: string): Command {
  return fleet
    .command(name)
    .description(description)
    .addOption(new Option('--settings <file>', 'settings file (HCL)').env('CARAVAN_SETTINGS'))
    .option('--data <dir>', 'where the fleet keeps its store')
    .option('--nomad <url>', 'address of Nomad (NOMAD_ADDR)')
    .option('--json', 'print JSON, one object a line')
}

function withServer(command: Command): Command {
  return command
    .addOption(
      new Option('--server <url>', 'the Caravan server whose queue counts').env('CARAVAN_SERVER'),
    )
    .addOption(new Option('--token <token>', 'token for the server').env('CARAVAN_TOKEN'))
}

function toCount(text: string): number {
  const value = Number(text)
  if (/^\d{1,5}$/.test(text)) return value
  throw new InvalidArgumentError('a whole number is needed')
}

function toDuration(text: string): number {
  const ms = parseDurationMs(text)
  if (ms !== null && ms > 0) return ms
  throw new InvalidArgumentError('a duration such as 90s, 10m or 1h30m is needed')
}
