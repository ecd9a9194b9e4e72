/**
 * The table of commands and their flags.
 *
 * A command's own file is loaded when it runs, so that `--help` stays instant and the agent loads
 * nothing of the server.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { ROLES } from '../model/index.ts'
import { addFleet } from './fleet/commands.ts'
import { addDevAws } from './dev-aws-flags.ts'
import type { ServeOptions } from './serve-options.ts'
import { EXIT, type Io } from './io.ts'
import type { RunOptions } from './run.ts'
import { VERSION } from './version.ts'

type Finish = (exitCode: number) => void

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
  addRun(program, io, finish)
  addConfig(program, io, finish)
  addServing(program, io, finish)
  addBuilds(program, io, finish)
  addStore(program, io, finish)
  addTokens(program, io, finish)
  addFleet(program, io, finish)
  addDoctor(program, io, finish)
  addUpgrade(program, io, finish)
  addAgent(program, finish)
  addMetrics(program, io, finish)
  program
    .command('version')
    .description('print versions')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      finish((await import('./version.ts')).version(options, io))
    })
  return program
}

function addRun(program: Command, io: Io, finish: Finish): void {
  program
    .command('run')
    .description('build the checkout you are in and follow it to its end')
    .option('--config <path>', 'configuration file (default: .circleci/config.yml)')
    .option('--job <name>', 'which job; may be left out when there is only one')
    .option('--parallelism <n>', "number of slices, instead of the job's own", toCount)
    .option('--org <name>', 'organisation (default: from the git remote, else local)')
    .option('--repo <name>', 'repository (default: from the git remote, else the folder)')
    .option('--branch <name>', 'branch (default: the one that is checked out)')
    .option('--repo-url <url>', 'let the agents clone this instead of the checkout; needs --sha')
    .option('--sha <commit>', 'which commit of --repo-url')
    .addOption(
      new Option('--executor <where>', 'run a docker job without Docker, on the host').choices([
        'host',
      ]),
    )
    .option('--nomad <url>', 'without --server: run on this Nomad, not on the embedded engine')
    .option('--detach', 'do not wait for the end; needs --server')
    .option('--dry-run', 'submit nothing; print every slice as Nomad would get it')
    .addOption(serverOption())
    .addOption(tokenOption())
    .option('--json', 'print one JSON object per line')
    .action(async (options: RunOptions) =>
      finish(await (await import('./run.ts')).run(options, io)),
    )
}

function addConfig(program: Command, io: Io, finish: Finish): void {
  const config = program.command('config').description('look at a configuration of builds')
  const withFile = (name: string, description: string) =>
    config
      .command(`${name} [file]`)
      .description(`${description} (default: .circleci/config.yml)`)
      .addOption(settingsOption())
      .option('--json', 'print one JSON object')
  withFile('check', 'which jobs can run, and what keeps the others from it').action(
    async (file: string | undefined, options) => {
      finish(await (await import('./config/check.ts')).check(file, options, io))
    },
  )
  withFile('expand', 'the jobs as they are run, with everything filled in')
    .option('--job <name>', 'only this job')
    .action(async (file: string | undefined, options) => {
      finish(await (await import('./config/expand.ts')).expand(file, options, io))
    })
}

function addServing(program: Command, io: Io, finish: Finish): void {
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
    .addOption(new Option('--log-format <format>', 'log lines').choices(['text', 'json']))
    .addOption(logLevelOption())
    .action(async (options: ServeOptions) => {
      finish(await (await import('./server.ts')).server(options, io))
    })
}

function addBuilds(program: Command, io: Io, finish: Finish): void {
  const builds = program.command('builds').description('look at the builds of a server')
  const withServer = (name: string, description: string) =>
    builds
      .command(name)
      .description(description)
      .addOption(serverOption().default('http://127.0.0.1:8080'))
      .addOption(tokenOption())
      .option('--json', 'print JSON')
  withServer('list', 'the builds, newest first')
    .option('--limit <n>', 'how many', toCount, 50)
    .action(async (options) => finish(await (await import('./builds/list.ts')).list(options, io)))
  withServer('show <build>', 'one build, by number or id').action(async (ref: string, options) => {
    finish(await (await import('./builds/show.ts')).show(ref, options, io))
  })
  withServer('output <build>', 'what the steps of a slice wrote')
    .option('--slice <n>', 'which slice, from 0 (default: the first of the build)', toIndex)
    .option('--step <n>', 'which step, from 0 in the order of the configuration', toIndex)
    .option('--attempt <n>', 'which attempt at the slice, from 1 (default: the last)', toCount)
    .option('--raw', 'nothing but the bytes of the steps')
    .action(async (ref: string, options) => {
      finish(await (await import('./builds/output.ts')).output(ref, options, io))
    })
  withServer('rerun <build>', 'run a build that is over again, as a new build')
    .option('--failed', 'only the slices that did not succeed')
    .option('--detach', 'do not wait for the end')
    .action(async (ref: string, options) => {
      finish(await (await import('./builds/rerun.ts')).rerun(ref, options, io))
    })
  withServer('cancel <build>', 'end a build').action(async (ref: string, options) => {
    finish(await (await import('./builds/cancel.ts')).cancel(ref, options, io))
  })
}

function addStore(program: Command, io: Io, finish: Finish): void {
  const withStore = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .addOption(dataOption())
      .addOption(storeOption())
      .addOption(masterKeyOption())
      .addOption(settingsOption())
      .option('--json', 'print one JSON object')
  withStore('backup <file>', 'write builds and their sources into one file; the server may run')
    .option('--with-output', 'also the output of all steps')
    .option('--with-sources', 'also the sources of builds that are over')
    .option('--with-master-key', 'also the master key: whoever has the file has the installation')
    .option('--force', 'replace the file when it is there')
    .action(async (file: string, options) => {
      finish(await (await import('./backup.ts')).backup(file, options, io))
    })
  withStore('restore <file>', 'put a backup in the place of the store; the server must not run')
    .option('--force', 'replace what the store holds')
    .action(async (file: string, options) => {
      finish(await (await import('./restore.ts')).restore(file, options, io))
    })
}

function addTokens(program: Command, io: Io, finish: Finish): void {
  const token = program.command('token').description('who may use a server, and for what')
  const withServer = (name: string, description: string) =>
    token
      .command(name)
      .description(description)
      .addOption(serverOption())
      .addOption(tokenOption())
      .option('--json', 'print JSON')
  withServer('create', 'make a token; without --server, the first one, where the data is')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--name <text>', 'whose it is, or what for')
    .option('--expires <duration>', 'how long it is good for, such as 90d (default: for ever)')
    .addOption(dataOption())
    .addOption(storeOption())
    .addOption(masterKeyOption())
    .addOption(settingsOption())
    .action(async (options) => {
      finish(await (await import('./token.ts')).createToken(options, io))
    })
  withServer('list', 'the tokens of a server, oldest first').action(async (options) =>
    finish(await (await import('./token.ts')).listTokens(options, io)),
  )
  withServer('revoke <id>', 'end a token at once').action(async (id: string, options) => {
    finish(await (await import('./token.ts')).revokeToken(id, options, io))
  })
}

function addDoctor(program: Command, io: Io, finish: Finish): void {
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

function addUpgrade(program: Command, io: Io, finish: Finish): void {
  program
    .command('upgrade')
    .description('whether this version and a server work together')
    .option('--check', 'compare, and change nothing')
    .addOption(serverOption())
    .addOption(tokenOption())
    .option('--json', 'print one JSON object')
    .action(async (options) => finish(await (await import('./upgrade.ts')).upgrade(options, io)))
}

function addAgent(program: Command, finish: Finish): void {
  program
    .command('build-agent')
    .description('runs one slice inside its Nomad allocation; started by the job template')
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_options, command: Command) => {
      finish(await (await import('./build-agent.ts')).buildAgent(command.args))
    })
}

function addMetrics(program: Command, io: Io, finish: Finish): void {
  program
    .command('metrics')
    .description('gauges about Nomad for DogStatsD and Prometheus; also as nomad-metrics')
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_options, command: Command) => {
      finish(await (await import('./metrics/start.ts')).metrics(command.args, io))
    })
}

const dataOption = () => new Option('--data <dir>', 'where builds and output live')
const storeOption = () =>
  new Option('--store <url>', 'sqlite:FILE in the data directory, or postgres://...')
const masterKeyOption = () =>
  new Option('--master-key-file <file>', 'key of this installation; PostgreSQL needs one')
const settingsOption = () =>
  new Option('--settings <file>', 'settings file (HCL)').env('CARAVAN_SETTINGS')
const serverOption = () =>
  new Option('--server <url>', 'address of a Caravan server').env('CARAVAN_SERVER')
const tokenOption = () => new Option('--token <token>', 'token for the server').env('CARAVAN_TOKEN')
const logLevelOption = () =>
  new Option('--log-level <level>', 'least important line to log')
    .choices(['debug', 'info', 'warn', 'error'])
    .env('CARAVAN_LOG_LEVEL')

function toWhole(text: string, minimum: number, maximum: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
  throw new InvalidArgumentError(`a whole number from ${minimum} to ${maximum} is needed`)
}

const toPort = (text: string) => toWhole(text, 0, 65_535)
const toCount = (text: string) => toWhole(text, 1, 1000)
const toIndex = (text: string) => toWhole(text, 0, 100_000)
