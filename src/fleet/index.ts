/** The fleet: its controller, and what scripts and people do with nodes and instances by hand. */
export { examineGroup, type Finding } from './doctor/index.ts'
export {
  AT_ONCE_MS,
  drain,
  findAction,
  findNodes,
  instanceOf,
  isDrained,
  keepBeating,
  type NodeName,
  proveEmpty,
  runLifecycle,
  toAllocationView,
  undrain,
  waitUntilEmpty,
  whatStillRuns,
} from './lifecycle/index.ts'
export {
  isPolling,
  readPollingSettings,
  type RunnerTick,
  tickRunners,
  toRunnerGroup,
} from './polling/index.ts'
