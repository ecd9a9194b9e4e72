/** The flags of `caravan dev aws`. */
import type { Command } from 'commander'
import type { DevAwsOptions } from './dev-aws.ts'
import { logLevelOption, toPort, type Finish } from './flags.ts'
import type { Io } from './io.ts'

export function addDevAws(dev: Command, io: Io, finish: Finish): void {
  // Both have a --port.
  dev.enablePositionalOptions()
  dev
    .command('aws')
    .description('Auto Scaling, EC2 and instance metadata, emulated on this machine, until stopped')
    .option('--port <n>', 'port of the API; 0 takes a free one', toPort, 0)
    .option('--imds-port <n>', 'port of the instance metadata; 0 takes a free one', toPort, 0)
    .option('--nomad-port <n>', 'machines become nodes of an embedded Nomad engine here', toPort)
    .option('--boot <duration>', 'from launch to a machine that is up', '2s')
    .option('--script <file>', 'play these steps on a whole cluster (JSON)')
    .option('--no-controller', 'play the script without a controller of the fleet')
    .addOption(logLevelOption())
    .action(async (options: DevAwsOptions) => {
      finish(await (await import('./dev-aws.ts')).devAws(options, io))
    })
}
