/** The calls about tokens. */
import {
  type CreatedToken,
  createdToken,
  tokenList,
  type TokenRequestInput,
  type TokenView,
  tokenView,
  type WhoAmI,
  whoAmI,
} from '../../model/index.ts'
import type { HttpRequest, HttpResponse } from '../../platform/index.ts'
import { readAnswer } from './answers.ts'

export interface TokenCalls {
  create(request: TokenRequestInput): Promise<CreatedToken>
  /** Oldest first. */
  list(): AsyncIterable<TokenView>
  revoke(id: string): Promise<TokenView>
  whoAmI(): Promise<WhoAmI>
}

const TOKENS = '/api/v1/tokens'

export function createTokenCalls(
  server: string,
  call: (request: HttpRequest) => Promise<HttpResponse>,
): TokenCalls {
  return {
    async create(json) {
      return readAnswer(server, await call({ method: 'POST', path: TOKENS, json }), createdToken)
    },
    async *list() {
      let cursor: string | null | undefined
      while (cursor !== null) {
        const response = await call({ method: 'GET', path: TOKENS, query: { cursor } })
        const page = readAnswer(server, response, tokenList)
        yield* page.tokens
        cursor = page.next_cursor
      }
    },
    async revoke(id) {
      const path = `${TOKENS}/${encodeURIComponent(id)}`
      return readAnswer(server, await call({ method: 'DELETE', path }), tokenView)
    },
    async whoAmI() {
      const response = await call({ method: 'GET', path: '/api/v1/whoami' })
      return readAnswer(server, response, whoAmI)
    },
  }
}
