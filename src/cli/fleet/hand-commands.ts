/** The table of `caravan fleet` commands for hook scripts and for instances. */
import { type Command, Option } from 'commander'
import { logLevelOption, settingsOption, toCodesHelp, toDuration, type Finish } from '../flags.ts'
import type { Io } from '../io.ts'

/** @param fleet the command that they become part of. */
export function addHandCommands(fleet: Command, io: Io, finish: Finish): void {
  withNode(fleet, 'drain', 'take a node out of service; it waits for builds')
    .option('--wait', 'return when nothing runs on it any more')
    .option(
      '--deadline <duration>',
      'how long --wait waits; with --force, when it stops what runs (default: for ever)',
      toDuration,
    )
    .option('--force', 'stop what still runs: at once, or at the deadline')
    .option('--heartbeat', 'keep the lifecycle hook of the instance waiting as long as we wait')
    .addOption(hookOption())
    .option('--ignore-system', 'leave allocations of system jobs alone')
    .option(
      '--await-node <duration>',
      'how long --wait gives an instance to register (default: 1m)',
      toDuration,
    )
    .addHelpText(
      'after',
      toCodesHelp({ 0: 'drained; with --wait, empty', 1: STILL_BUSY, ...FAULTS }),
    )
    .action(async (options) => finish(await (await import('./drain.ts')).drainCommand(options, io)))
  withNode(fleet, 'undrain', 'give a node back')
    .option('--keep-ineligible', 'end the drain, and still take no new work')
    .addHelpText('after', toCodesHelp({ 0: 'given back', ...FAULTS }))
    .action(async (options) =>
      finish(await (await import('./undrain.ts')).undrainCommand(options, io)),
    )
  withNode(fleet, 'complete', 'let an instance go that its lifecycle hook holds')
    .addOption(hookOption())
    .addOption(resultOption())
    .option('--force', 'also when something still runs on it')
    .addHelpText(
      'after',
      toCodesHelp({ 0: COMPLETED, 1: 'something still runs', ...FAULTS, 2: TAKES_WORK }),
    )
    .action(async (options) =>
      finish(await (await import('./complete.ts')).completeCommand(options, io)),
    )
  addLifecycle(fleet, io, finish)
  addDoctor(fleet, io, finish)
}

const STILL_BUSY = 'something still ran at the deadline, or somebody gave the node back'
const COMPLETED = 'completed, or nothing waited for it'
const TAKES_WORK = 'bad input, no such node, or one that takes work'
const FAULTS = {
  2: 'bad input, or no such node',
  3: 'Nomad or AWS refused, or is away: try again',
  130: 'interrupted',
}

function addLifecycle(fleet: Command, io: Io, finish: Finish): void {
  withWorld(
    fleet,
    'lifecycle',
    'on an instance: drain it, beat, and let it go when its group ends it',
  )
    .option('--self', 'the machine it runs on')
    .addOption(hookOption())
    .addOption(resultOption())
    .option(
      '--before-complete <command>',
      'run by sh when nothing runs any more, ten minutes at most',
    )
    .option('--give-up <duration>', 'let it go when Nomad is out of reach so long', toDuration)
    .addOption(
      new Option('--at-cap <what>', 'when heartbeats can not hold the hook much longer')
        .choices(['wait', 'stop'])
        .default('wait'),
    )
    .addOption(
      new Option('--on-rebalance <what>', 'when EC2 recommends to replace it')
        .choices(['tell', 'cordon'])
        .default('tell'),
    )
    .addHelpText('after', toCodesHelp({ 0: 'stopped by a signal', 2: 'bad input' }))
    .action(async (options) =>
      finish(await (await import('./lifecycle.ts')).lifecycleCommand(options, io)),
    )
}

function addDoctor(fleet: Command, io: Io, finish: Finish): void {
  withWorld(fleet, 'doctor', 'check groups, hooks and permissions')
    .option('--group <name...>', 'Auto Scaling groups (default: those of the pools)')
    .addOption(hookOption())
    .option('--longest <duration>', 'longest slice (default: limits.max_run_time)', toDuration)
    .option('--controller', 'try the permissions of a controller, too')
    .option('--self', 'check the metadata service of this machine')
    .addHelpText(
      'after',
      toCodesHelp({ 0: 'nothing failed', 2: 'bad input', 3: 'something failed' }),
    )
    .action(async (options) =>
      finish(await (await import('./doctor.ts')).fleetDoctorCommand(options, io)),
    )
}

function withNode(fleet: Command, name: string, description: string): Command {
  return withWorld(fleet, name, description)
    .option('--self', 'the node of this machine')
    .option('--node <id>', 'a node, by as much of its id as names it')
    .option('--instance <id>', 'the node of an EC2 instance')
}

function withWorld(fleet: Command, name: string, description: string): Command {
  return fleet
    .command(name)
    .description(description)
    .option('--nomad <url>', 'address of Nomad (NOMAD_ADDR)')
    .option('--region <name>', 'AWS region (AWS_REGION)')
    .option('--imds <url>', 'metadata service (AWS_EC2_METADATA_SERVICE_ENDPOINT)')
    .addOption(settingsOption())
    .addOption(logLevelOption())
    .option('--dry-run', 'change nothing; tell what would be')
    .option('--json', 'print JSON, one object a line')
}

const hookOption = () =>
  new Option('--hook <name>', 'which lifecycle hook, where the group has several')

const resultOption = () =>
  new Option('--result <result>', 'what to tell the hook')
    .choices(['CONTINUE', 'ABANDON'])
    .default('CONTINUE')
