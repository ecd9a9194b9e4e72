/** The part of hot-shots that carries bytes; its own types describe the whole client only. */
declare module 'hot-shots/lib/transport.js' {
  interface Transport {
    on(event: 'error', listener: (error: Error) => void): void
    send(bytes: Buffer, done: (error?: Error | null) => void): void
    close(): void
  }

  interface TransportOptions {
    protocol: 'udp' | 'uds'
    /** An address: names are looked up elsewhere. */
    host?: string
    port?: number
    path?: string
    udsRetryOptions?: { retries: number; retryDelayMs: number; maxRetryDelayMs: number }
  }

  /** @returns null when it could not be opened; the handler has been told then. */
  const createTransport: (
    client: { errorHandler: (error: Error) => void },
    options: TransportOptions,
  ) => Transport | null
  export default createTransport
}
