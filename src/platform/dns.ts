/** Names of hosts to addresses, as a port. */

/** @throws Error when the name has no address. */
export type Resolve = (host: string) => Promise<string>

/** As the machine does it, its hosts file included; the first of several addresses. */
export const systemResolve: Resolve = async (host) => {
  // Addresses need no look-up, and then this takes no memory.
  const { lookup } = await import('node:dns/promises')
  return (await lookup(host)).address
}
