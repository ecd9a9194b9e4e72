/** The table of commands about configurations of builds. */
import type { Command } from 'commander'
import { settingsOption, type Finish } from '../flags.ts'
import type { Io } from '../io.ts'

export function addConfig(program: Command, io: Io, finish: Finish): void {
  const config = program.command('config').description('look at a configuration of builds')
  const withFile = (name: string, description: string) =>
    config
      .command(`${name} [file]`)
      .description(`${description} (default: .circleci/config.yml)`)
      .addOption(settingsOption())
      .option('--json', 'print one JSON object')
  withFile('check', 'which jobs can run, and what keeps the others from it').action(
    async (file: string | undefined, options) => {
      finish(await (await import('./check.ts')).check(file, options, io))
    },
  )
  withFile('expand', 'the jobs as they are run, with everything filled in')
    .option('--job <name>', 'only this job')
    .action(async (file: string | undefined, options) => {
      finish(await (await import('./expand.ts')).expand(file, options, io))
    })
}
