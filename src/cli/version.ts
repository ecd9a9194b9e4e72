/** `caravan version`, and what the rest of the program says its version is. */
import { readFileSync } from 'node:fs'
import { PROTOCOL_VERSION } from '../model/index.ts'
import { ownFile } from '../platform/index.ts'
import type { Io } from './io.ts'
import { EXIT } from './io.ts'

const manifest: unknown = JSON.parse(readFileSync(ownFile('package.json'), 'utf8'))

export const VERSION = readVersion(manifest)

export function version(options: { json?: boolean }, io: Io): number {
  const facts = { caravan: VERSION, protocol: PROTOCOL_VERSION, node: process.versions.node }
  io.stdout.write(
    options.json
      ? `${JSON.stringify(facts)}\n`
      : `caravan ${facts.caravan} (agent protocol ${facts.protocol}, Node.js ${facts.node})\n`,
  )
  return EXIT.ok
}

function readVersion(value: unknown): string {
  const found = typeof value === 'object' && value !== null && 'version' in value && value.version
  return typeof found === 'string' ? found : 'unknown'
}
