/** The machine: everything that touches time, files, sockets, processes or a vendor's library. */
export * from './clock.ts'
export * from './log.ts'
export * from './test-clock.ts'
export * from './exec.ts'
export * from './git.ts'
export * from './pino.ts'
export * from './shutdown.ts'
export * from './random.ts'
