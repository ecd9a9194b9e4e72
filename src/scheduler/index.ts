/** The control plane: from a build request to one result per slice. */
export type * from './ports.ts'
export { judgeFit, toCapacity } from './capacity.ts'
export { dryRun } from './dry-run.ts'
export { compileRequest } from './intake.ts'
export { createOutputStore } from './output/index.ts'
export { createScheduler } from './scheduler.ts'
export { loadSliceTemplate } from './template/index.ts'
