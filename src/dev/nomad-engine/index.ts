/** The embedded Nomad engine: Nomad's HTTP API on a machine with nothing but Node.js. */
export { startNomadEngine } from './engine.ts'
export type { NomadEngine } from './engine.ts'
export type { EngineNodeOptions, EngineOptions } from './options.ts'
export type { Intercept } from './http/server.ts'
