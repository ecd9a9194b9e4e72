/** The Nomad job of a slice: from a template and values to the body that is registered. */
export { canonicalBytes, hashJob } from './canonical.ts'
export { killTimeoutMsOf, loadSliceTemplate, renderSlice, SLICE_TASK } from './slice.ts'
export { loadTemplate, renderJob, type JobTemplate, type TemplateValues } from './template.ts'
export type { TemplateValue } from './values.ts'
export { META_KEYS, SLICE_VARIABLES, type SliceValues } from './variables.ts'
