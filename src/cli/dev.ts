/** `caravan dev`: server and embedded engine on this machine, until a signal ends them. */
import { join, resolve } from 'node:path'
import { prepareFolder } from '../platform/index.ts'
import type { Io } from './io.ts'
import { EXIT, writeJsonLine } from './io.ts'
import type { ServeOptions } from './serve-options.ts'

export async function dev(options: ServeOptions, io: Io): Promise<number> {
  const data = resolve(io.cwd, options.data ?? join(io.cwd, '.caravan'))
  await prepareFolder(data, '--data')
  const { startDevelopmentStack } = await import('./development.ts')
  const stack = await startDevelopmentStack({
    dataDir: data,
    apiPort: options.port ?? 8080,
    nomadPort: options.nomadPort ?? 4646,
    nomadUrl: options.nomad,
    io,
    logLevel: options.logLevel ?? 'info',
  })
  await writeJsonLine(io.stdout, { api: stack.api, nomad: stack.nomad, data })
  await untilAborted(io.signal)
  await stack.close()
  return EXIT.ok
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((done) => {
    signal.addEventListener('abort', () => done(), { once: true })
  })
}
