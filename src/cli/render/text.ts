/** Words and colours that the renderers share. */
import type { BuildView, SliceState, SliceView, StepState } from '../../model/index.ts'
import { REASONS } from '../../model/index.ts'
import { SafeLines } from './hostile.ts'

export interface Palette {
  good(text: string): string
  bad(text: string): string
  busy(text: string): string
  dim(text: string): string
  bold(text: string): string
}

const ansi = (code: number) => (text: string) => `\u001B[${code}m${text}\u001B[0m`
const plain = (text: string) => text

/** Colours only where a person looks and has not asked for none. @see no-color.org */
export function createPalette(colours: boolean): Palette {
  if (!colours) return { good: plain, bad: plain, busy: plain, dim: plain, bold: plain }
  return { good: ansi(32), bad: ansi(31), busy: ansi(36), dim: ansi(2), bold: ansi(1) }
}

export function paint(palette: Palette, state: SliceState | StepState, text: string): string {
  if (state === 'succeeded') return palette.good(text)
  if (state === 'failed' || state === 'timed_out' || state === 'infrastructure_failed') {
    return palette.bad(text)
  }
  if (state === 'skipped' || state === 'waiting' || state === 'canceled') return palette.dim(text)
  return palette.busy(text)
}

/** `2.1 s`, from a minute on `1 min 5 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}

/** `build 1 succeeded: 4 slices, 2.1 s`: the last line of every run. */
export function formatVerdict(build: BuildView): string {
  const count = build.slices.length
  // Of a rerun only those that failed before: what the others did stands in the build before it.
  const total = count < build.parallelism ? ` of ${build.parallelism}` : ''
  const slices = `${count}${total} slice${count === 1 && total === '' ? '' : 's'}`
  const time = build.seconds === null ? '' : `, ${formatSeconds(build.seconds)}`
  const before = build.rerun_of === null ? '' : ` (rerun of build ${build.rerun_of})`
  return `build ${build.number} ${build.state}: ${slices}${time}${before}`
}

/** Why a slice ended, or why it waits: the sentence of the reason, then what is special about this one. */
export function explainSlice(slice: Pick<SliceView, 'reason' | 'detail'>): string {
  const { reason, detail } = slice
  if (reason === null || detail === '') return reason === null ? detail : REASONS[reason].sentence
  return `${REASONS[reason].sentence.replace(/\.$/, '')}: ${detail}`
}

/** The last lines of a piece of output, fit for a terminal. */
export function lastLines(bytes: Uint8Array, count: number): string[] {
  const lines = new SafeLines()
  return [...lines.push(bytes), ...lines.end()].slice(-count)
}
