/** The table of commands about an installation, and of the programs in it that others start. */
import type { Command } from 'commander'
import { serverOption, settingsOption, tokenOption, type Finish } from './flags.ts'
import type { Io } from './io.ts'

export function addDoctor(program: Command, io: Io, finish: Finish): void {
  program
    .command('doctor')
    .description('check this machine, the settings, Nomad and the server')
    .option('--nomad <url>', 'Nomad to check (NOMAD_ADDR)')
    .addOption(serverOption())
    .addOption(tokenOption())
    .addOption(settingsOption())
    .option('--json', 'print JSON')
    .action(async (options) => finish(await (await import('./doctor.ts')).doctor(options, io)))
}

export function addUpgrade(program: Command, io: Io, finish: Finish): void {
  program
    .command('upgrade')
    .description('whether this version and a server work together')
    .option('--check', 'compare, and change nothing')
    .addOption(serverOption())
    .addOption(tokenOption())
    .option('--json', 'print one JSON object')
    .action(async (options) => finish(await (await import('./upgrade.ts')).upgrade(options, io)))
}

/** They read their flags themselves: each may run alone, in a bundle without this table. */
export function addPrograms(program: Command, io: Io, finish: Finish): void {
  const withOwnFlags = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .allowUnknownOption()
      .allowExcessArguments()
      .helpOption(false)
  withOwnFlags(
    'build-agent',
    'runs one slice inside its Nomad allocation; started by the job template',
  ).action(async (_options, command: Command) => {
    finish(await (await import('./build-agent.ts')).buildAgent(command.args))
  })
  withOwnFlags(
    'metrics',
    'gauges about Nomad for DogStatsD and Prometheus; also as nomad-metrics',
  ).action(async (_options, command: Command) => {
    finish(await (await import('./metrics/start.ts')).metrics(command.args, io))
  })
}

export function addVersion(program: Command, io: Io, finish: Finish): void {
  program
    .command('version')
    .description('print versions')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      finish((await import('./version.ts')).version(options, io))
    })
}
