/** The part of undici that is loaded by itself; it is typed as the whole is. */
declare module 'undici/lib/dispatcher/pool.js' {
  import type { Pool } from 'undici'

  const ClientPool: typeof Pool
  export default ClientPool
}
