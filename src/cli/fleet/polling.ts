/** `caravan fleet tick` for machines that poll for their work: one look, one size, from a function or cron. */
import { readPollingSettings, tickRunners, toRunnerGroup } from '../../fleet/index.ts'
import { CaravanError } from '../../model/index.ts'
import { createAws, createHttpClient, readNamedFile, systemClock } from '../../platform/index.ts'
import { EXIT, writeJsonLine, type Io } from '../io.ts'

/** Exit code 0 when the group has its size; 2 for the environment, 3 when it could not be found or set. */
export async function pollingTick(
  options: { json?: boolean; dryRun?: boolean },
  io: Io,
): Promise<number> {
  const settings = readPollingSettings(io.env)
  const aws = createAws({ region: settings.region, clock: systemClock })
  const http = createHttpClient({ baseUrl: settings.apiUrl, clock: systemClock })
  try {
    const texts = {
      secret: settings.secret === null ? null : await readSecret(settings.secret),
      tokenFile: settings.tokenFile === null ? null : await readToken(settings.tokenFile),
    }
    const runners = toRunnerGroup(settings, texts)
    const dryRun = options.dryRun === true
    const tick = await tickRunners({ http, aws }, runners, { dryRun })
    if (options.json) await writeJsonLine(io.stdout, tick)
    else {
      const { group, unclaimed, running, max, desired } = tick
      io.stdout.write(
        `${group}: ${unclaimed} wait, ${running} run, at most ${max}: ${dryRun ? 'would be' : 'is'} ${desired}\n`,
      )
    }
    return EXIT.ok
  } finally {
    aws.close()
    await http.close()
  }
}

async function readSecret({ name, region }: { name: string; region: string }): Promise<string> {
  const aws = createAws({ region, clock: systemClock })
  try {
    return await aws.readSecret(name)
  } finally {
    aws.close()
  }
}

async function readToken(file: string): Promise<string> {
  try {
    return await readNamedFile(file)
  } catch (cause) {
    throw new CaravanError('SETTINGS_INVALID', `CIRCLE_TOKEN_FILE: cannot read ${file}`, { cause })
  }
}
