/** The scheduler's HTTP surface. */
export { type Api, type ApiOptions, startApi } from './start.ts'
