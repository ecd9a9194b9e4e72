/** `caravan builds output`: what a step wrote; byte for byte, where it does not go to a terminal. */
import type { BuildView, SliceView, StepView } from '../../model/index.ts'
import type { Io } from '../io.ts'
import { EXIT, write } from '../io.ts'
import { usageError } from '../io.ts'
import { SafeLines, toSafeText } from '../render/hostile.ts'
import type { ConnectOptions } from './connect.ts'
import { withServer } from './connect.ts'

export interface OutputOptions extends ConnectOptions {
  /** The first of the build when absent. */
  slice?: number
  /** Counted from 0 in the order of the configuration; every step, one after the other, when absent. */
  step?: number
  /** Which try at the slice, from 1; the last one when absent. */
  attempt?: number
  /** Nothing but the step's own bytes. */
  raw?: boolean
}

export function output(ref: string, options: OutputOptions, io: Io): Promise<number> {
  if (options.json) throw usageError('output is bytes, not JSON: leave --json away')
  return withServer(options, async (api) => {
    const build = await api.readBuild(ref)
    const slice = chooseSlice(build, options.slice)
    const steps = chooseSteps(slice, options)
    const place = { slice: slice.index, epoch: options.attempt ?? slice.epoch }
    for (const step of steps) {
      if (options.raw !== true) {
        await write(io.stdout, `-- ${toSafeText(step.name)}: ${step.state}\n`)
      }
      const bytes = await api.readOutput(ref, { ...place, step: step.index })
      if (options.raw !== true && io.stdout.isTTY === true) await writeSafely(io, bytes)
      else for await (const chunk of bytes) await write(io.stdout, chunk)
    }
    return EXIT.ok
  })
}

/** A file gets the bytes as they are; a terminal must not do what a step tells it to. */
async function writeSafely(io: Io, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const safe = new SafeLines()
  for await (const chunk of bytes) await writeLines(io, safe.push(chunk))
  await writeLines(io, safe.end())
}

async function writeLines(io: Io, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await write(io.stdout, `${lines.join('\n')}\n`)
}

function chooseSlice({ number, slices }: BuildView, index: number | undefined): SliceView {
  const slice = slices.find((each) => each.index === (index ?? each.index))
  if (slice !== undefined) return slice
  throw usageError(`build ${number} has slices ${slices.map((each) => each.index).join(', ')}`)
}

/** Of the attempt that was asked for. */
function chooseSteps(slice: SliceView, { attempt = slice.epoch, step }: OutputOptions): StepView[] {
  const earlier = slice.earlier_attempts.find((each) => each.epoch === attempt)
  const found = attempt === slice.epoch ? slice : earlier
  if (found === undefined) {
    throw usageError(`slice ${slice.index} has attempts 1 to ${slice.epoch}`)
  }
  const steps = found.steps.filter((each) => (step ?? each.index) === each.index)
  if (step === undefined || steps.length > 0) return steps
  throw usageError(`slice ${slice.index} has steps 0 to ${slice.steps.length - 1}`)
}
