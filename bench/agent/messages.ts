/** What the bench and its server process tell each other. */
import type { SliceReport } from './watched-gate.ts'

export interface BenchJob {
  commands: readonly string[]
  /** Of the container to run them in; on the machine when absent. */
  image?: string
}

export type ToServer =
  /** Build this: one slice with a step for each command. */
  | ({ kind: 'submit'; mask: string[] } & BenchJob)
  /** The process of the allocation is gone. */
  | { kind: 'ended'; allocation: string }

export type FromServer =
  | { kind: 'ready'; url: string }
  /** What Nomad was asked to run. */
  | { kind: 'placed'; slice: string; placed: Placed }
  | { kind: 'over'; slice: string; report: SliceReport }

export interface Placed {
  slice: string
  allocation: string
  command: string
  args: string[]
  env: Record<string, string>
}
