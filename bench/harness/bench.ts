/** What a bench is: something that is measured against a peer or a limit, in the same run. */
import type { Clock } from '../../src/platform/index.ts'
import type { Contenders, InterleaveOptions, Samples } from './samples.ts'
import type { Row } from './table.ts'

export interface Bench {
  readonly name: string
  /** What it is measured against. */
  readonly against: string
  /** What has to hold, or that nothing has to. */
  readonly reach: string
  run(context: BenchContext): Promise<BenchResult>
}

export interface BenchContext {
  readonly clock: Clock
  /** An empty folder, removed afterwards. */
  readonly dir: string
  /** Measures peers in turn, prints a row for each, and gives their samples back. */
  readonly interleave: <Name extends string>(
    contenders: Contenders<Name>,
    options: InterleaveOptions,
  ) => Promise<Record<Name, Samples>>
  readonly table: (rows: readonly Row[]) => void
  readonly note: (text: string) => void
}

export interface BenchResult {
  /** Of the bench to its peer; null when there is none. */
  ratio: number | null
  /** A sentence for each reach that was missed. */
  missed: readonly string[]
  figures: Readonly<Record<string, Figure>>
}

export type Figure = number | string | null
