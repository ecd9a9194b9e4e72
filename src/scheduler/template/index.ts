/** The Nomad job of a slice: from a template and values to the body that is registered. */
export * from './canonical.ts'
export type { TemplateVariable } from './declarations.ts'
export * from './slice.ts'
export * from './template.ts'
export type { TemplateValue, VariableType } from './values.ts'
export * from './variables.ts'
