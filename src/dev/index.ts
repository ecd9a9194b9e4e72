/** What stands in for the outside world on one machine. */
export * from './nomad-engine/index.ts'
export * from './aws/index.ts'
