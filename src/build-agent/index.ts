/** The process inside the allocation: claims a slice, runs its steps, reports them. */
export { runAgent } from './agent.ts'
export { sweepDocker } from './ground.ts'
export { sweep } from './sweep/sweep.ts'
export type { AgentOptions, Signals } from './ports.ts'
export type { AgentTimings } from './timings.ts'
