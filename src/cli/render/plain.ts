/** The view for pipes and files: every line of output with its slice in front. */
import type { FollowEvent, SliceView, StepView } from '../../model/index.ts'
import { isResult } from '../../model/index.ts'
import type { OutputStream } from '../io.ts'
import { write } from '../io.ts'
import { SafeLines, toSafeText } from './hostile.ts'
import type { Renderer } from './renderer.ts'
import { explainSlice, formatSeconds, formatVerdict } from './text.ts'

type SliceNews = Extract<FollowEvent, { type: 'slice' }>['slice']

export function createPlainRenderer(stdout: OutputStream): Renderer {
  /** The output of steps that run, by `slice/step`. */
  const open = new Map<string, SafeLines>()
  const said = new Map<string, string>()
  const epochs = new Map<number, number>()

  const line = (slice: number, text: string) => write(stdout, toLine(slice, toSafeText(text)))
  // One write for all of them: a step that prints short lines fast would cost one for each.
  const writeLines = async (slice: number, lines: readonly string[]) => {
    if (lines.length > 0) await write(stdout, lines.map((text) => toLine(slice, text)).join(''))
  }

  async function showOutput(event: Extract<FollowEvent, { type: 'output' }>): Promise<void> {
    const key = `${event.slice}/${event.step}`
    const output = open.get(key) ?? new SafeLines()
    open.set(key, output)
    await writeLines(event.slice, output.push(Buffer.from(event.data, 'base64')))
  }

  async function showStep(slice: number, step: StepView): Promise<void> {
    if (!isNew(`${slice}/${step.index}`, step.state)) return
    if (step.state === 'waiting') return
    if (step.state === 'running') return line(slice, `-- ${step.name}`)
    await endLine(slice, `${slice}/${step.index}`)
    const code =
      step.exit_code === null || step.exit_code === 0 ? '' : `, exit code ${step.exit_code}`
    const time = step.seconds === null ? '' : ` (${formatSeconds(step.seconds)}${code})`
    await line(slice, `-- ${step.name}: ${step.state}${time}`)
  }

  async function endLine(slice: number, key: string): Promise<void> {
    await writeLines(slice, open.get(key)?.end() ?? [])
    open.delete(key)
  }

  /** Another attempt says everything anew. */
  async function seeEpoch({ index, epoch }: Pick<SliceView, 'index' | 'epoch'>): Promise<void> {
    if (epochs.get(index) === epoch) return
    epochs.set(index, epoch)
    const isOwn = (key: string) => key.startsWith(`${index}/`)
    for (const key of [...open.keys()].filter(isOwn)) await endLine(index, key)
    for (const key of [...said.keys()].filter(isOwn)) said.delete(key)
  }

  async function showSlice(slice: SliceNews): Promise<void> {
    await seeEpoch(slice)
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

function toLine(slice: number, text: string): string {
  return `[${slice}] ${text}\n`
}
