/** Keeping the output of steps, and following a build with it. */
export { createFollow } from './follow.ts'
export { createOutputStore } from './store.ts'
