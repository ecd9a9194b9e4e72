/** Keeping the output of steps, and following a build with it. */
export { createOutputStore, type OutputStoreOptions } from './store.ts'
