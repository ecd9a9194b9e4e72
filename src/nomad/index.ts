/** Nomad's HTTP API as Caravan uses it. */
export * from './ports.ts'
export * from './version.ts'
export type * from './wire.ts'
