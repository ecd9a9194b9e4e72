/** The table of commands that serve until they are stopped. */
import type { Command } from 'commander'
import { addDevAws } from './dev-aws-flags.ts'
import {
  dataOption,
  logFormatOption,
  logLevelOption,
  masterKeyOption,
  settingsOption,
  storeOption,
  toPort,
  type Finish,
} from './flags.ts'
import type { Io } from './io.ts'
import type { ServeOptions } from './serve-options.ts'

export function addDev(program: Command, io: Io, finish: Finish): void {
  const dev = program
    .command('dev')
    .description('server and embedded Nomad engine on this machine, until stopped')
    .option('--port <n>', 'port of the API', toPort, 8080)
    .option('--nomad-port <n>', 'port of the embedded Nomad engine', toPort, 4646)
    .option('--nomad <url>', 'use this Nomad, not the embedded engine')
    .option('--data <dir>', 'where builds, output and the engine live', '.caravan')
    .addOption(logLevelOption())
    .action(async (options: ServeOptions) =>
      finish(await (await import('./dev.ts')).dev(options, io)),
    )
  addDevAws(dev, io, finish)
}

export function addServer(program: Command, io: Io, finish: Finish): void {
  program
    .command('server')
    .description('the control plane, on a Nomad cluster')
    .option('--nomad <url>', 'address of Nomad (NOMAD_ADDR)')
    .option('--listen <host>', 'address to listen on')
    .option('--port <n>', 'port of the API', toPort)
    .addOption(dataOption())
    .addOption(storeOption())
    .addOption(masterKeyOption())
    .option('--public-url <url>', 'where agents reach this server')
    .addOption(settingsOption())
    .addOption(logFormatOption())
    .addOption(logLevelOption())
    .action(async (options: ServeOptions) => {
      finish(await (await import('./server.ts')).server(options, io))
    })
}
