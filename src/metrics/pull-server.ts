/** `GET /metrics` for Prometheus, and nothing else. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { CaravanError } from '../model/index.ts'
import { loadHttp } from '../platform/index.ts'
import { EXPOSITION_TYPE } from './prometheus.ts'

export interface PullServer {
  port: number
  close(): Promise<void>
}

/** A scrape is small and quick; whoever holds a connection for longer is no Prometheus. */
const REQUEST_MAX_MS = 10_000
const CONNECTIONS_MAX = 32

/** @throws CaravanError INPUT_INVALID when the address can not be listened on. */
export async function startPullServer(
  { host, port }: { host: string; port: number },
  exposition: () => string,
): Promise<PullServer> {
  const server = loadHttp().createServer(
    { requestTimeout: REQUEST_MAX_MS },
    (request, response) => {
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      if (!isRead || request.url?.split('?', 1)[0] !== '/metrics') {
        response.writeHead(isRead ? 404 : 405).end()
        return
      }
      response.writeHead(200, { 'content-type': EXPOSITION_TYPE }).end(exposition())
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  try {
    await once(server.listen(port, host), 'listening')
  } catch (cause) {
    throw new CaravanError('INPUT_INVALID', `cannot listen on ${host}:${port}`, { cause })
  }
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
