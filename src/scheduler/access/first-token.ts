/** The first token of an installation, made where its data is, without a server. */
import { CaravanError, type CreatedToken, type TokenRequest } from '../../model/index.ts'
import { lockFolder, type RandomSource } from '../../platform/index.ts'
import { insertToken, openStore, readTokens } from '../store/index.ts'
import { isExpired, makeToken, toTokenView } from './token-book.ts'

export interface FirstTokenOptions {
  storeUrl: string
  dataDir: string
  request: TokenRequest
  nowMs: number
  random: RandomSource
}

/** Far more than anybody has; only whether there is one of an admin matters. */
const TOKENS_READ = 10_000

/**
 * Only while nobody has a token to make others with: from then on, the server makes them.
 *
 * @throws CaravanError CONFLICT when an admin has a token; DATA_DIR_LOCKED or STORE_FAILED while a
 * server runs.
 */
export async function createFirstToken(options: FirstTokenOptions): Promise<CreatedToken> {
  const { storeUrl, dataDir, request, nowMs, random } = options
  const lock = await lockFolder(dataDir, nowMs)
  try {
    const store = await openStore(storeUrl, { dataDir, nowMs, random })
    try {
      const known = await readTokens(store.read, TOKENS_READ)
      if (known.some((row) => row.role === 'admin' && !isExpired(row, nowMs))) {
        throw new CaravanError(
          'CONFLICT',
          'there is a token of an admin already: start the server and use it with --server and --token',
        )
      }
      const { token, row } = makeToken(request, { random, nowMs })
      await store.write((writer) => insertToken(writer, row))
      return { ...toTokenView(row), token }
    } finally {
      await store.close()
    }
  } finally {
    lock.release()
  }
}
