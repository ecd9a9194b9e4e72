/** `caravan token create|list|revoke`: who may use a server. */
import { resolve } from 'node:path'
import {
  isCaravanError,
  type CreatedToken,
  type TokenRequest,
  type TokenView,
  tokenRequest,
  explainOnOneLine,
} from '../model/index.ts'
import { readSettings, systemClock, systemRandom } from '../platform/index.ts'
import { createFirstToken } from '../scheduler/index.ts'
import { withServer } from './builds/connect.ts'
import type { Io } from './io.ts'
import { EXIT, usageError, writeJsonLine } from './io.ts'
import { toTable } from './render/table.ts'
import type { StoreOptions } from './serve-options.ts'

export interface TokenOptions extends StoreOptions {
  server?: string
  token?: string
  json?: boolean
}

export interface CreateOptions extends TokenOptions {
  role: string
  name?: string
  expires?: string
}

/** Over the API of a server; or, without `--server`, the first one where the data is. */
export async function createToken(options: CreateOptions, io: Io): Promise<number> {
  const { role, name, expires } = options
  const checked = tokenRequest.safeParse({ role, name, expires })
  if (!checked.success) throw usageError(explainOnOneLine(checked.error.issues))
  const created = await makeToken(checked.data, options, io)
  if (options.json) await writeJsonLine(io.stdout, created)
  else io.stdout.write(`${created.token}\n`)
  const until = created.expires_at === null ? '' : `, until ${created.expires_at}`
  io.stderr.write(
    `Token ${created.id} with the role ${created.role}${until}. It is shown this once: keep it.\n`,
  )
  return EXIT.ok
}

export function listTokens(options: TokenOptions, io: Io): Promise<number> {
  return withServer({ ...options, server: serverOf(options) }, async (api) => {
    const tokens: TokenView[] = []
    for await (const token of api.tokens.list()) tokens.push(token)
    if (options.json) await writeJsonLine(io.stdout, tokens)
    else io.stdout.write(drawTokens(tokens))
    return EXIT.ok
  })
}

export function revokeToken(id: string, options: TokenOptions, io: Io): Promise<number> {
  return withServer({ ...options, server: serverOf(options) }, async (api) => {
    const revoked = await api.tokens.revoke(id)
    if (options.json) await writeJsonLine(io.stdout, revoked)
    else io.stdout.write(`token ${revoked.id} is revoked\n`)
    return EXIT.ok
  })
}

/** Where `caravan dev` and a server with the default settings listen. */
const DEFAULT_SERVER = 'http://127.0.0.1:8080'

function serverOf({ server = DEFAULT_SERVER }: TokenOptions): string {
  return server
}

async function makeToken(
  request: TokenRequest,
  options: TokenOptions,
  io: Io,
): Promise<CreatedToken> {
  if (options.server !== undefined) {
    let created: CreatedToken | null = null
    await withServer({ ...options, server: options.server }, async (api) => {
      created = await api.tokens.create(request)
      return EXIT.ok
    })
    if (created !== null) return created
  }
  const settings = await readSettings({ flags: options, env: io.env })
  try {
    return await createFirstToken({
      storeUrl: settings.store.url,
      dataDir: resolve(settings.server.data_dir),
      request,
      nowMs: systemClock.now(),
      random: systemRandom,
    })
  } catch (cause) {
    if (!isCaravanError(cause, 'DATA_DIR_LOCKED')) throw cause
    throw usageError(`${cause.message}; or, if that is your server, name it with --server`)
  }
}

function drawTokens(tokens: readonly TokenView[]): string {
  if (tokens.length === 0) return 'no tokens yet\n'
  const rows = tokens.map(({ id, role, name, created_at, expires_at, last_used_at }) => [
    id,
    role,
    created_at,
    expires_at ?? 'never',
    last_used_at ?? 'never',
    name,
  ])
  return toTable(['ID', 'ROLE', 'CREATED', 'EXPIRES', 'LAST USED', 'NAME'], rows)
}
