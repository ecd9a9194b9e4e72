/**
 * Bytes to a DogStatsD server: the one place that knows hot-shots, which is loaded with the first
 * datagram.
 *
 * Its transport is used without its client, which would send each metric in a datagram of its own and
 * change itself by variables of the environment.
 */

/** An open socket. */
export interface Channel {
  /** @throws Error when the kernel did not take it. */
  send(datagram: string): Promise<void>
  close(): void
}

export type Destination =
  /** The socket is not connected: a port that nobody listens on is no error then, as UDP has it. */
  { kind: 'udp'; address: string; port: number } | { kind: 'unix'; path: string }

export type OpenChannel = (destination: Destination) => Promise<Channel>

/** A full buffer is emptied within this time, or its reader is gone. */
const UNIX_RETRY = { retries: 2, retryDelayMs: 20, maxRetryDelayMs: 50 }

/** @throws Error when there is nothing at the path, or no add-on for Unix sockets. */
export const openChannel: OpenChannel = async (destination) => {
  const { default: createTransport } = await import('hot-shots/lib/transport.js')
  let refusal: Error | null = null
  const transport = createTransport(
    { errorHandler: (error) => (refusal = error) },
    destination.kind === 'udp'
      ? { protocol: 'udp', host: destination.address, port: destination.port }
      : { protocol: 'uds', path: destination.path, udsRetryOptions: UNIX_RETRY },
  )
  if (transport === null) throw refusal ?? new Error('no socket could be opened')
  let failure: Error | null = null
  transport.on('error', (error) => (failure = error))
  return {
    async send(datagram) {
      // What came in between two datagrams says that the socket is no good any more.
      if (failure !== null) throw failure
      await new Promise<void>((resolve, reject) => {
        transport.send(Buffer.from(datagram), (error) => (error ? reject(error) : resolve()))
      })
    },
    close: () => transport.close(),
  }
}
