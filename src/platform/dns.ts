/** Names of hosts to addresses, as a port. */
import { lookup } from 'node:dns/promises'

/** @throws Error when the name has no address. */
export type Resolve = (host: string) => Promise<string>

/** As the machine does it, its hosts file included; the first of several addresses. */
export const systemResolve: Resolve = async (host) => (await lookup(host)).address
