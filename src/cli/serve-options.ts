/** The flags of the commands that serve. */
import type { LogLevel } from '../platform/index.ts'

export interface ServeOptions {
  port?: number
  listen?: string
  nomadPort?: number
  nomad?: string
  data?: string
  store?: string
  masterKeyFile?: string
  publicUrl?: string
  settings?: string
  logFormat?: 'text' | 'json'
  logLevel?: LogLevel
}
