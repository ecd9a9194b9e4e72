/**
 * A network that can be cut: stands between a client and a server, and passes bytes until it is told not
 * to. It knows nothing of what it carries, so the same one serves HTTP and PostgreSQL.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { type Answer, Connection, type Target, type Weather } from './connection.ts'

export type { Answer, Target } from './connection.ts'

export interface Proxy {
  /** Port on the loopback that clients connect to; 0 when it listens on a path. */
  readonly port: number
  /** `http://127.0.0.1:<port>`. */
  readonly url: string
  readonly connectionCount: number
  /** Resets every open connection. New ones pass. */
  cut(): void
  /** Resets every open connection, and whoever connects is refused until `heal`. */
  refuse(): Promise<void>
  /** Accepts, takes every byte, passes none, either way, until `heal`. Open connections stay open. */
  blackhole(): void
  /** Every piece of bytes arrives this much later, either way, in order. 0 is the end of it. */
  delay(ms: number): void
  /**
   * Loses one answer: the request reaches the server, the answer does not reach the client, whose
   * connection is reset instead. Settles when that has happened.
   */
  loseAnswer(answer?: Answer): Promise<void>
  /** Another server stands where the old one was; open connections stay with the old one. */
  retarget(to: Target): void
  /** All passes again. Connections that have lost bytes meanwhile are reset: no peer could go on. */
  heal(): Promise<void>
  close(): Promise<void>
}

/** How long another socket may sit on the port on which we were refusing. */
const RELISTEN_MS = 10_000

/**
 * @param options.to address of the server: a URL, a host and port, or the path of a socket.
 * @param options.at path of the socket to listen on; a free port of the loopback when absent.
 */
export async function startProxy(options: { to: Target; at?: string }): Promise<Proxy> {
  const weather: Weather = { isBlackhole: false, delayMs: 0, armed: [] }
  const connections = new Set<Connection>()
  let target = options.to
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const connection = new Connection(near, target, weather)
    connections.add(connection)
    connection.onEnd(() => connections.delete(connection))
  })
  let port = await listen(server, options.at ?? 0)
  const cut = () => {
    for (const connection of connections) connection.reset()
  }
  const relisten = async () => {
    if (!server.listening) port = await listenAgain(server, options.at ?? port)
  }
  return {
    get port() {
      return port
    },
    get url() {
      return `http://127.0.0.1:${port}`
    },
    get connectionCount() {
      return connections.size
    },
    cut,
    async refuse() {
      const closed = server.listening ? stop(server) : Promise.resolve()
      cut()
      await closed
    },
    blackhole: () => void (weather.isBlackhole = true),
    delay: (ms) => void (weather.delayMs = ms),
    loseAnswer: (answer = {}) =>
      new Promise((onLost) => void weather.armed.push({ answer, onLost })),
    retarget: (to) => void (target = to),
    async heal() {
      weather.isBlackhole = false
      weather.delayMs = 0
      weather.armed = []
      for (const connection of connections) if (connection.hasLostBytes) connection.reset()
      await relisten()
    },
    async close() {
      const closed = server.listening ? stop(server) : Promise.resolve()
      cut()
      await closed
    },
  }
}

async function listen(server: Server, at: string | number): Promise<number> {
  if (typeof at === 'string') server.listen(at)
  else server.listen(at, '127.0.0.1')
  await once(server, 'listening')
  return typeof at === 'string' ? 0 : (server.address() as AddressInfo).port
}

/** A client may have been given our port for a connection of its own: it gives it back. */
async function listenAgain(server: Server, at: string | number): Promise<number> {
  const endMs = performance.now() + RELISTEN_MS
  for (;;) {
    try {
      return await listen(server, at)
    } catch (cause) {
      if (performance.now() > endMs) throw cause
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
