/** The flags of the commands that serve. */
import type { LogLevel } from '../platform/index.ts'

/** Flags that say where the store is. */
export interface StoreOptions {
  data?: string
  store?: string
  masterKeyFile?: string
  settings?: string
}

export interface ServeOptions extends StoreOptions {
  port?: number
  listen?: string
  nomadPort?: number
  nomad?: string
  publicUrl?: string
  logFormat?: 'text' | 'json'
  logLevel?: LogLevel
}
