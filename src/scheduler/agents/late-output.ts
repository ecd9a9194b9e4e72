/**
 * Output that comes after the result of its slice: from an agent that was given up too soon, or from
 * whoever found the spool of one that died. It changes no result; it fills what was marked as missing.
 */
import type { Clock, Log } from '../../platform/index.ts'
import { placeOf, type Ledger } from '../ledger.ts'
import type { OutputStore } from '../ports.ts'
import { outputKeyOf } from '../reading.ts'
import { insertNotice, readSteps, saveStep, type StepRow } from '../store/index.ts'
import type { KnownCaller } from './callers.ts'
import { MARKER_BYTES_MAX } from './delivery.ts'

export interface LateOutput {
  /** @returns how much of the stream there is now; null when nothing more of it is taken. */
  take(
    who: KnownCaller,
    place: { step: number; attempt: number; offset: number },
    bytes: Buffer,
  ): Promise<number | null>
}

/** With the notices that tell what was missing, more than one for each step. */
const NOTICES_MAX = 2000

export function createLateOutput(deps: {
  ledger: Ledger
  outputs: OutputStore
  /** Bytes of one stream. */
  outputMax: number
  clock: Clock
  log: Log
}): LateOutput {
  const { ledger, outputs, outputMax } = deps
  return {
    async take(who, { step, attempt, offset }, bytes) {
      const steps = await readSteps(ledger.read, who.place)
      const row = steps.find((each) => each.step_index === step && each.attempt === attempt)
      if (row === undefined) return null
      const stream = outputKeyOf(row)
      const before = await outputs.length(stream)
      // All of it is here: the answer to an earlier call was lost.
      if (offset + bytes.length <= before) return before
      if (row.output_state === 'complete') return null
      // Of a step whose end was never told only the limit is known.
      const most = row.output_length ?? outputMax + MARKER_BYTES_MAX
      const wanted = bytes.subarray(0, Math.max(0, most - offset))
      if (wanted.length === 0) return null
      const have = await outputs.append(stream, offset, wanted)
      if (have > before && have === row.output_length) await complete(deps, row)
      return have
    },
  }
}

async function complete(
  { ledger, outputs, clock, log }: { ledger: Ledger; outputs: OutputStore; clock: Clock; log: Log },
  row: StepRow,
): Promise<void> {
  const stream = outputKeyOf(row)
  if ((await outputs.sha256(stream)) !== row.output_sha256) {
    log.error('late output differs from what the agent announced', { ...stream })
    return
  }
  const { build_id, slice_index, epoch, step_index } = row
  const text = `the rest of the output of step ${step_index} has arrived late: it is complete`
  await ledger.write(async (writing) => {
    await saveStep(writing.writer, { ...row, output_state: 'complete' })
    writing.announce(build_id, { kind: 'step', slice: slice_index, step: step_index })
    const notice = { build_id, slice_index, epoch, step_index, at_ms: clock.now(), text }
    await insertNotice(writing.writer, notice, NOTICES_MAX)
    writing.announce(build_id, { kind: 'notice', slice: slice_index, text })
  }, placeOf(row))
}
