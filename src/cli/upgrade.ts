/** `caravan upgrade --check`: what is installed here, what the server is, and whether they work together. */
import { PROTOCOLS, type ProtocolWindow } from '../model/index.ts'
import { systemClock } from '../platform/index.ts'
import { createApiClient } from './api/client.ts'
import type { Io } from './io.ts'
import { EXIT, usageError, writeJsonLine } from './io.ts'
import { toTable } from './render/table.ts'
import { judge, type Release } from './upgrade/judge.ts'
import { VERSION } from './version.ts'

export interface UpgradeOptions {
  check?: boolean
  server?: string
  token?: string
  json?: boolean
}

/** Servers of the first protocol do not tell which they speak. */
const FIRST: ProtocolWindow = { oldest: 1, newest: 1 }

/** Exit code 0 when both work together, or no server was named; 3 when not. */
export async function upgrade(options: UpgradeOptions, io: Io): Promise<number> {
  if (options.check !== true) {
    throw usageError(
      'Caravan does not replace itself: install the package of the version that you want. ' +
        'caravan upgrade --check tells whether this one works with a server',
    )
  }
  const installed: Release = { version: VERSION, protocols: PROTOCOLS }
  const server = options.server === undefined ? null : await readServer(options.server, options)
  const verdict = server === null ? null : judge(installed, server)
  if (options.json) {
    await writeJsonLine(io.stdout, {
      installed,
      server,
      works_together: verdict?.worksTogether ?? null,
      advice: verdict?.advice ?? null,
    })
  } else {
    const rows = [toRow('installed', installed), ...(server ? [toRow('server', server)] : [])]
    io.stdout.write(toTable(['WHAT', 'VERSION', 'AGENT PROTOCOL'], rows))
    const advice = verdict?.advice ?? 'name a server with --server to compare'
    const isApart = verdict?.worksTogether === false
    io.stdout.write(isApart ? `they do not work together: ${advice}\n` : `${advice}\n`)
  }
  return verdict?.worksTogether === false ? EXIT.infrastructure : EXIT.ok
}

async function readServer(server: string, { token }: UpgradeOptions): Promise<Release> {
  const api = createApiClient({
    server,
    clock: systemClock,
    ...(token === undefined ? {} : { token }),
  })
  try {
    const { version, protocols = FIRST } = await api.health()
    return { version, protocols }
  } finally {
    await api.close()
  }
}

function toRow(what: string, { version, protocols }: Release): string[] {
  const { oldest, newest } = protocols
  return [what, version, oldest === newest ? `${newest}` : `${oldest} to ${newest}`]
}
