/** The flags of `caravan dev aws`. */
import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import type { DevAwsOptions } from './dev-aws.ts'
import type { Io } from './io.ts'

export function addDevAws(dev: Command, io: Io, finish: (exitCode: number) => void): void {
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
    .addOption(
      new Option('--log-level <level>', 'least important line to log')
        .choices(['debug', 'info', 'warn', 'error'])
        .env('CARAVAN_LOG_LEVEL'),
    )
    .action(async (options: DevAwsOptions) => {
      finish(await (await import('./dev-aws.ts')).devAws(options, io))
    })
}

function toPort(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= 65_535) return value
  throw new InvalidArgumentError('a whole number from 0 to 65535 is needed')
}
