/** The control plane: from a build request to one result per slice. */
export type * from './ports.ts'
