/** Keeping the output of steps, and following a build with it. */
export { createFollow, type FollowDeps } from './follow.ts'
export { createOutputStore, type OutputStoreOptions } from './store.ts'
