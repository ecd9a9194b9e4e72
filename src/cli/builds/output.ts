/** `caravan builds output`: what a step wrote; byte for byte, where it does not go to a terminal. */
import type { Io } from '../io.ts'
import { EXIT, write } from '../io.ts'
import { usageError } from '../io.ts'
import { SafeLines, toSafeText } from '../render/hostile.ts'
import type { ConnectOptions } from './connect.ts'
import { withServer } from './connect.ts'

export interface OutputOptions extends ConnectOptions {
  slice: number
  /** Counted from 0 in the order of the configuration; every step, one after the other, when absent. */
  step?: number
  /** Nothing but the step's own bytes. */
  raw?: boolean
}

export function output(ref: string, options: OutputOptions, io: Io): Promise<number> {
  if (options.json) throw usageError('output is bytes, not JSON: leave --json away')
  return withServer(options, async (api) => {
    const build = await api.readBuild(ref)
    const slice = build.slices.find((each) => each.index === options.slice)
    if (slice === undefined) {
      throw usageError(`build ${build.number} has slices 0 to ${build.slices.length - 1}`)
    }
    const steps = slice.steps.filter((each) => (options.step ?? each.index) === each.index)
    if (options.step !== undefined && steps.length === 0) {
      throw usageError(`slice ${slice.index} has steps 0 to ${slice.steps.length - 1}`)
    }
    for (const step of steps) {
      if (options.raw !== true) {
        await write(io.stdout, `-- ${toSafeText(step.name)}: ${step.state}\n`)
      }
      const bytes = await api.readOutput(ref, { slice: slice.index, step: step.index })
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
