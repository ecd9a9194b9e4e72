/** Nodes and instances by hand and by the daemon on them: drains, hooks, and the way out. */
export { drain, undrain, isDrained, AT_ONCE_MS } from './drain.ts'
export { proveEmpty, waitUntilEmpty } from './emptiness.ts'
export { findNodes, type NodeName } from './nodes.ts'
export { keepBeating } from './beats.ts'
export { findAction } from './complete.ts'
export { runLifecycle, toAllocationView } from './daemon.ts'
