/** Nomad for nomad-metrics, opened anew when one of its certificate files changes. */
import type { NomadSource } from '../../metrics/index.ts'
import { CaravanError } from '../../model/index.ts'
import { createNomadReadings, type NomadReadings } from '../../nomad/index.ts'
import {
  readNamedFile,
  silentLog,
  systemClock,
  systemRandom,
  type TlsOptions,
} from '../../platform/index.ts'
import type { MetricsOptions } from './options.ts'

/** Opens nothing before it is asked. */
export function createNomadSource(options: MetricsOptions['nomad']): NomadSource {
  let open: { nomad: NomadReadings; state: string } | null = null
  const { ca, cert, key } = options
  const files = [ca, cert, key].filter((file) => file !== undefined)
  return {
    async acquire() {
      const state = (await Promise.all(files.map(readState))).join()
      if (open?.state === state) return open.nomad
      await open?.nomad.close()
      open = { nomad: await openReadings(options), state }
      return open.nomad
    },
    async close() {
      await open?.nomad.close()
    },
  }
}

async function openReadings(options: MetricsOptions['nomad']): Promise<NomadReadings> {
  const { address, token, region, serverName } = options
  const [ca, cert, key] = await Promise.all([options.ca, options.cert, options.key].map(readPem))
  const tls: TlsOptions = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { serverName }),
  }
  return createNomadReadings({
    address,
    small: true,
    ...(token === undefined ? {} : { token }),
    ...(region === undefined ? {} : { region }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    clock: systemClock,
    random: systemRandom,
    // What goes wrong is told by whoever polls, once.
    log: silentLog,
  })
}

/** A file that is replaced is another one, also within the same second. */
async function readState(file: string): Promise<string> {
  const { stat } = await import('node:fs/promises')
  const { mtimeMs, size, ino } = await whatever(file, stat(file))
  return [file, mtimeMs, size, ino].join(':')
}

async function readPem(file: string | undefined): Promise<string | undefined> {
  return file === undefined ? undefined : await whatever(file, readNamedFile(file))
}

async function whatever<T>(file: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (cause) {
    throw new CaravanError('SETTINGS_INVALID', `cannot read ${file}`, { cause })
  }
}
