/** The fleet: its controller, and what scripts and people do with nodes and instances by hand. */
export { examineGroup, type Finding } from './doctor/index.ts'
export {
  AT_ONCE_MS,
  drain,
  findAction,
  findNodes,
  isDrained,
  keepBeating,
  type NodeName,
  proveEmpty,
  runLifecycle,
  toAllocationView,
  undrain,
  waitUntilEmpty,
} from './lifecycle/index.ts'
export {
  forgottenOfGroup,
  isPolling,
  readPollingSettings,
  tickRunners,
  toRunnerGroup,
} from './polling/index.ts'
export { createController, type ControllerDeps, type Tick } from './controller.ts'
export { createDemandClient } from './demand-client.ts'
export { toFleetStatus } from './status.ts'
export { subjectOf } from './intents.ts'
export { instanceOf } from './instance-of.ts'
export { isLive } from './observe/nomad-side.ts'
export { SETTLE_MS } from './proof.ts'
export { toPolicies, type PoolPolicy } from './policy.ts'
export type * from './ports.ts'
export { startFleet, type FleetLoop, type LoopTimes } from './run.ts'
export { createSteadyTime } from './steady-clock.ts'
export { openFleetStore } from './store/open.ts'
