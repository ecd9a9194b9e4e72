/** Nomad's HTTP API as Caravan uses it. */
export * from './client.ts'
export { problemOf } from './failure.ts'
export { filterOf } from './paging.ts'
export * from './ports.ts'
export { createNomadReadings, type NomadReadings } from './readings.ts'
export * from './version.ts'
export type * from './wire.ts'
export type * from './wire-readings.ts'
