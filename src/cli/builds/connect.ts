/** What every command that talks to a server has in common. */
import { systemClock } from '../../platform/index.ts'
import type { ApiClient } from '../api/client.ts'
import { createApiClient } from '../api/client.ts'

export interface ConnectOptions {
  server: string
  token?: string
  json?: boolean
}

export async function withServer(
  options: ConnectOptions,
  act: (api: ApiClient) => Promise<number>,
): Promise<number> {
  const { server, token } = options
  const api = createApiClient({
    server,
    clock: systemClock,
    ...(token === undefined ? {} : { token }),
  })
  try {
    return await act(api)
  } finally {
    await api.close()
  }
}
