/**
 * The view for a terminal: one line per slice, redrawn in place, then a summary with the last lines of
 * whatever failed.
 */
import type { BuildView, SliceView } from '../../model/index.ts'
import { isResult } from '../../model/index.ts'
import type { Clock, Timer } from '../../platform/index.ts'
import type { OutputStream } from '../io.ts'
import { write } from '../io.ts'
import type { Progress } from './progress.ts'
import { NO_PROGRESS, applyEvent, currentStep, failedStep, tailOf } from './progress.ts'
import { toSafeText } from './hostile.ts'
import type { Renderer } from './renderer.ts'
import type { Palette } from './text.ts'
import { explainSlice, formatSeconds, formatVerdict, lastLines, paint } from './text.ts'

/** Fast enough to look alive, slow enough to cost nothing over a slow line. */
const REDRAW_MS = 100
const SUMMARY_LINES = 20
/** As wide as the longest state, so that the columns stand still. */
const STATE_WIDTH = 21

const HIDE_CURSOR = '\u001B[?25l'
const SHOW_CURSOR = '\u001B[?25h'
const CLEAR_BELOW = '\u001B[J'

interface LiveOptions {
  stdout: OutputStream
  clock: Clock
  palette: Palette
}

export function createLiveRenderer({ stdout, clock, palette }: LiveOptions): Renderer {
  let progress: Progress = NO_PROGRESS
  let drawnLines = 0
  let timer: Timer | null = null
  /** By slice and epoch. */
  const startedMs = new Map<string, number>()

  function draw(): void {
    timer = null
    if (progress.build === null) return
    const lines = drawBuild(progress.build, {
      notices: progress.notices,
      palette,
      columns: stdout.columns ?? 80,
      rows: stdout.rows ?? 24,
      elapsedMs: (slice) => elapsed(slice),
    })
    const up = drawnLines > 0 ? `\u001B[${drawnLines}A\r` : HIDE_CURSOR
    stdout.write(`${up}${CLEAR_BELOW}${lines.join('\n')}\n`)
    drawnLines = lines.length
    // Elapsed times go on although nothing else happens.
    timer = clock.after(REDRAW_MS, draw)
  }

  function elapsed(slice: SliceView): number | null {
    if (slice.seconds !== null) return slice.seconds * 1000
    const started = startedMs.get(nameOf(slice))
    return started === undefined ? null : clock.monotonic() - started
  }

  return {
    event(event) {
      progress = applyEvent(progress, event)
      for (const slice of progress.build?.slices ?? []) {
        if (currentStep(slice) && !startedMs.has(nameOf(slice))) {
          startedMs.set(nameOf(slice), clock.monotonic())
        }
      }
      timer ??= clock.after(drawnLines === 0 ? 0 : REDRAW_MS, draw)
      return Promise.resolve()
    },
    async end(build) {
      progress = applyEvent(progress, { type: 'build', build })
      timer?.cancel()
      draw()
      timer?.cancel()
      const failures = build.slices.filter((slice) => slice.state !== 'succeeded')
      const summary = failures.flatMap((slice) => summarise(slice, progress, palette))
      const verdict = paint(palette, toPaintState(build), formatVerdict(build))
      await write(stdout, [...summary, verdict, ''].join('\n'))
    },
    close() {
      timer?.cancel()
      if (drawnLines > 0) stdout.write(SHOW_CURSOR)
    },
  }
}

function nameOf({ index, epoch }: SliceView): string {
  return `${index}/${epoch}`
}

interface DrawOptions {
  palette: Palette
  notices: Progress['notices']
  columns: number
  rows: number
  elapsedMs(slice: SliceView): number | null
}

/** The lines of the live view. More slices than the screen has rows: the busy ones are shown first. */
export function drawBuild(build: BuildView, options: DrawOptions): string[] {
  const { palette } = options
  const repository = toSafeText(`${build.org}/${build.repo}`)
  const heading = `build ${build.number} ${repository} ${palette.bold(toSafeText(build.job))}`
  const notices = options.notices.map(({ slice, text }) => drawNotice(slice, text, options))
  const room = Math.max(1, options.rows - 3 - notices.length)
  const shown =
    build.slices.length <= room
      ? build.slices
      : [...build.slices]
          .sort((a, b) => Number(isResult(a.state)) - Number(isResult(b.state)))
          .slice(0, room - 1)
  const hidden = build.slices.length - shown.length
  const lines = shown.map((slice) => drawSlice(slice, build.slices.length, options))
  const more = hidden > 0 ? [palette.dim(`  and ${hidden} more`)] : []
  return [heading, ...lines, ...more, ...notices]
}

function drawNotice(slice: number, text: string, { palette, columns }: DrawOptions): string {
  const line = `  slice ${slice}: ${toSafeText(text)}`
  return palette.dim(line.slice(0, columns))
}

function drawSlice(slice: SliceView, total: number, options: DrawOptions): string {
  const { palette, columns } = options
  const elapsedMs = options.elapsedMs(slice)
  const time = elapsedMs === null ? '' : formatSeconds(elapsedMs / 1000)
  const index = String(slice.index).padStart(String(total - 1).length)
  const what = isResult(slice.state) ? '' : (currentStep(slice)?.name ?? slice.detail)
  const state = slice.state.padEnd(STATE_WIDTH)
  const head = `  ${index}  ${paint(palette, slice.state, state)} ${time.padStart(9)}  `
  // Colour codes take no room on the screen.
  const room = columns - (index.length + STATE_WIDTH + 16)
  const firstLine = toSafeText(what)
  return head + firstLine.slice(0, Math.max(0, room))
}

function summarise(slice: SliceView, progress: Progress, palette: Palette): string[] {
  const step = failedStep(slice)
  const where = step === undefined ? '' : ` in "${step.name.split('\n', 1)[0]}"`
  const heading = toSafeText(`slice ${slice.index} ${slice.state}${where}: ${explainSlice(slice)}`)
  const tail =
    step === undefined ? [] : lastLines(tailOf(progress, slice.index, step.index), SUMMARY_LINES)
  return [palette.bold(heading), ...tail.map((text) => `  ${palette.dim('|')} ${text}`)]
}

function toPaintState(build: BuildView) {
  return build.state === 'queued' ? 'waiting' : build.state
}
