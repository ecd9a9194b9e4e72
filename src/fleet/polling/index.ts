/** Scaling of machines that poll for their work. */
export { tickRunners } from './runners.ts'
export { forgottenOfGroup, isPolling, readPollingSettings, toRunnerGroup } from './settings.ts'
