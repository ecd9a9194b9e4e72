/**
 * Node's own HTTP, loaded when it is asked for. An `import` of it would make whatever its names stand for, a
 * browser's WebSocket among them, which takes 16 MB.
 */
import type * as http from 'node:http'
import type * as https from 'node:https'

export function loadHttp(): typeof http {
  return process.getBuiltinModule('node:http')
}

/** The same over TLS. */
export function loadHttps(): typeof https {
  return process.getBuiltinModule('node:https')
}
