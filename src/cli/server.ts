/** `caravan server`: the control plane on a Nomad cluster, until a signal ends it. */
import {
  createJsonWriter,
  createLog,
  createTextWriter,
  readSettings,
  systemClock,
} from '../platform/index.ts'
import { startControlPlane } from './compose.ts'
import { untilAborted } from './dev.ts'
import type { Io } from './io.ts'
import { EXIT, writeJsonLine } from './io.ts'
import type { ServeOptions } from './serve-options.ts'

export async function server(options: ServeOptions, io: Io): Promise<number> {
  const settings = await readSettings({ flags: options, env: io.env })
  const writer =
    options.logFormat === 'json'
      ? await createJsonWriter()
      : createTextWriter(io.stderr, () => systemClock.now())
  const log = createLog(writer, options.logLevel ?? 'info')
  const plane = await startControlPlane({ settings, log })
  await writeJsonLine(io.stdout, {
    api: plane.api,
    nomad: settings.nomad.address,
    data: settings.server.data_dir,
  })
  await untilAborted(io.signal)
  await plane.close()
  return EXIT.ok
}
