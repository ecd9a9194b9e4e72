/** The view for pipes and files: every line of output with its slice in front. */
import type { FollowEvent, SliceView, StepView } from '../../model/index.ts'
import { isResult } from '../../model/index.ts'
import type { OutputStream } from '../io.ts'
import { write } from '../io.ts'
import type { Renderer } from './renderer.ts'
import { explainSlice, formatSeconds, formatVerdict } from './text.ts'

/** A line that never ends is broken here, so that it can not fill the memory. */
const LINE_BYTES_MAX = 64 * 1024

const NEWLINE = 0x0a

export function createPlainRenderer(stdout: OutputStream): Renderer {
  /** Bytes of lines that are not complete yet, by `slice/step`. */
  const partial = new Map<string, Buffer>()
  const said = new Map<string, string>()

  const line = (slice: number, text: string | Uint8Array) => write(stdout, toLine(slice, text))

  async function showOutput(event: Extract<FollowEvent, { type: 'output' }>): Promise<void> {
    const key = `${event.slice}/${event.step}`
    const held = partial.get(key) ?? Buffer.alloc(0)
    let rest = Buffer.concat([held, Buffer.from(event.data, 'base64')])
    // One write for all of them: a step that prints short lines fast would cost one for each.
    const lines: Buffer[] = []
    for (;;) {
      const end = rest.indexOf(NEWLINE)
      if (end < 0 && rest.length < LINE_BYTES_MAX) break
      const length = end < 0 ? LINE_BYTES_MAX : end
      lines.push(toLine(event.slice, rest.subarray(0, length)))
      rest = rest.subarray(end < 0 ? length : length + 1)
    }
    partial.set(key, rest)
    if (lines.length > 0) await write(stdout, Buffer.concat(lines))
  }

  async function showStep(slice: number, step: StepView): Promise<void> {
    if (!isNew(`${slice}/${step.index}`, step.state)) return
    if (step.state === 'waiting') return
    if (step.state === 'running') return line(slice, `-- ${step.name}`)
    const rest = partial.get(`${slice}/${step.index}`)
    if (rest !== undefined && rest.length > 0) await line(slice, rest)
    partial.delete(`${slice}/${step.index}`)
    const code =
      step.exit_code === null || step.exit_code === 0 ? '' : `, exit code ${step.exit_code}`
    const time = step.seconds === null ? '' : ` (${formatSeconds(step.seconds)}${code})`
    await line(slice, `-- ${step.name}: ${step.state}${time}`)
  }

  async function showSlice(slice: Omit<SliceView, 'steps'>): Promise<void> {
    if (!isNew(`${slice.index}`, `${slice.state} ${slice.detail}`)) return
    if (isResult(slice.state)) {
      const why = slice.state === 'succeeded' ? '' : `: ${explainSlice(slice)}`
      await line(slice.index, `== ${slice.state}${why}`)
    } else if (slice.detail !== '') {
      await line(slice.index, `== ${slice.state}: ${slice.detail}`)
    }
  }

  function isNew(key: string, text: string): boolean {
    if (said.get(key) === text) return false
    said.set(key, text)
    return true
  }

  return {
    async event(event) {
      if (event.type === 'output') await showOutput(event)
      if (event.type === 'step') await showStep(event.slice, event.step)
      if (event.type === 'slice') await showSlice(event.slice)
      if (event.type === 'notice') await line(event.slice, `!! ${event.text}`)
    },
    end: (build) => write(stdout, `${formatVerdict(build)}\n`),
    close: () => undefined,
  }
}

function toLine(slice: number, text: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`[${slice}] `), Buffer.from(text), Buffer.from('\n')])
}
