/** `caravan dev aws`: the AWS emulator on this machine, and with a script a whole cluster on it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Rehearsal, StartController } from '../dev/index.ts'
import { CaravanError, parseDurationMs } from '../model/index.ts'
import type { Log, LogLevel } from '../platform/index.ts'
import {
  createLog,
  createTextWriter,
  readNamedFile,
  systemClock,
  systemRandom,
} from '../platform/index.ts'
import { untilAborted } from './dev.ts'
import type { Io } from './io.ts'
import { EXIT, usageError, writeJsonLine } from './io.ts'

export interface DevAwsOptions {
  port: number
  imdsPort: number
  nomadPort?: number
  boot: string
  script?: string
  /** False with `--no-controller`. */
  controller?: boolean
  logLevel?: LogLevel
}

/** Nodes of a rehearsal are as large as the machines of the settings' example: 16 vCPU, 64 GiB. */
const INSTANCE = { vcpu: 16, memory: 65_536 }

export async function devAws(options: DevAwsOptions, io: Io): Promise<number> {
  const bootMs = parseDurationMs(options.boot)
  if (bootMs === null) throw usageError(`--boot ${options.boot} is no duration such as 2s`)
  const { parseScript, startRehearsal } = await import('../dev/index.ts')
  const steps =
    options.script === undefined ? null : parseScript(...(await read(options.script, io)))
  const now = () => systemClock.now()
  const log = createLog(createTextWriter(io.stderr, now), options.logLevel ?? 'info')
  const hasCluster = steps !== null || options.nomadPort !== undefined
  const dataDir = hasCluster ? await mkdtemp(join(tmpdir(), 'caravan-aws-')) : null
  try {
    const rehearsal = await startRehearsal({
      clock: systemClock,
      random: systemRandom,
      log,
      environment: io.env,
      port: options.port,
      imdsPort: options.imdsPort,
      bootMs,
      cluster:
        dataDir === null
          ? null
          : {
              dataDir,
              nomadPort: options.nomadPort ?? 0,
              instance: INSTANCE,
              startController: await loadController(options),
            },
    }).catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === 'EADDRINUSE' ? portTaken(cause) : cause
    })
    await present(rehearsal, io)
    try {
      if (steps === null) await untilAborted(io.signal)
      else await playScript(rehearsal, steps, log, io)
    } finally {
      await rehearsal.close()
    }
  } finally {
    if (dataDir !== null) await rm(dataDir, { recursive: true, force: true })
  }
  return EXIT.ok
}

async function present({ endpoint, imds, nomad }: Rehearsal, io: Io): Promise<void> {
  await writeJsonLine(io.stdout, { endpoint, imds, ...(nomad === null ? {} : { nomad }) })
}

/** A rehearsal of somebody else's scripts does without it. */
async function loadController({ controller }: DevAwsOptions): Promise<StartController | undefined> {
  if (controller === false) return undefined
  return (await import('./dev-aws-controller.ts')).startRehearsalController
}

type Steps = Parameters<Rehearsal['play']>[0]

/** A script without an end goes on until a signal ends it. */
async function playScript(rehearsal: Rehearsal, steps: Steps, log: Log, io: Io): Promise<void> {
  const outcome = await rehearsal.play(steps, io.signal)
  if (outcome === 'ended') log.info('the script has ended')
  if (outcome === 'played') await untilAborted(io.signal)
}

async function read(file: string, io: Io): Promise<[string, string]> {
  try {
    return [await readNamedFile(resolve(io.cwd, file)), file]
  } catch (cause) {
    throw new CaravanError('INPUT_INVALID', `--script ${file} can not be read`, { cause })
  }
}

function portTaken(cause: NodeJS.ErrnoException): CaravanError {
  const message =
    'a port is taken: choose others with --port, --imds-port and --nomad-port (0 takes a free one)'
  return new CaravanError('SETTINGS_INVALID', message, { cause })
}
