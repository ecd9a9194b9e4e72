/** The table of commands about builds. */
import { type Command, Option } from 'commander'
import type { Io } from '../io.ts'
import { serverOption, toCount, toIndex, tokenOption, type Finish } from '../flags.ts'
import type { RunOptions } from '../run.ts'

export function addRun(program: Command, io: Io, finish: Finish): void {
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
      finish(await (await import('../run.ts')).run(options, io)),
    )
}

export function addBuilds(program: Command, io: Io, finish: Finish): void {
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
    .action(async (options) => finish(await (await import('./list.ts')).list(options, io)))
  withServer('show <build>', 'one build, by number or id').action(async (ref: string, options) => {
    finish(await (await import('./show.ts')).show(ref, options, io))
  })
  withServer('output <build>', 'what the steps of a slice wrote')
    .option('--slice <n>', 'which slice, from 0 (default: the first of the build)', toIndex)
    .option('--step <n>', 'which step, from 0 in the order of the configuration', toIndex)
    .option('--attempt <n>', 'which attempt at the slice, from 1 (default: the last)', toCount)
    .option('--raw', 'nothing but the bytes of the steps')
    .action(async (ref: string, options) => {
      finish(await (await import('./output.ts')).output(ref, options, io))
    })
  withServer('rerun <build>', 'run a build that is over again, as a new build')
    .option('--failed', 'only the slices that did not succeed')
    .option('--detach', 'do not wait for the end')
    .action(async (ref: string, options) => {
      finish(await (await import('./rerun.ts')).rerun(ref, options, io))
    })
  withServer('cancel <build>', 'end a build').action(async (ref: string, options) => {
    finish(await (await import('./cancel.ts')).cancel(ref, options, io))
  })
}
