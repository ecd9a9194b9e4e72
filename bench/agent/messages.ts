/** What the bench and its server process tell each other. */
import type { Task } from '../../src/model/index.ts'
import type { SliceReport } from './gate.ts'

export interface ToServer {
  slice: string
  task: Task
}

export type FromServer =
  | { kind: 'ready'; url: string }
  | { kind: 'offered'; slice: string }
  | { kind: 'over'; slice: string; report: SliceReport }
