/** Keeping the output of steps, and following a build with it. */
export { createFollow } from './follow.ts'
export { createFollowers, type Followers } from './followers.ts'
export { createOutputStore } from './store.ts'
