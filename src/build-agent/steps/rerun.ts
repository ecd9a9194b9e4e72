/** Runs a step again that failed, as often as it asks for. */
import { formatDuration, type RunStep, type StepSpec } from '../../model/index.ts'
import { sleep } from '../../platform/index.ts'
import type { StepOutput } from '../output/step-output.ts'
import type { JobContext } from './context.ts'
import type { StepOutcome } from './outcome.ts'

/**
 * All tries write one output, with a line between them.
 *
 * @returns the outcome of the last one.
 */
export async function untilItSucceeds(
  { clock, ending }: Pick<JobContext, 'clock' | 'ending'>,
  { step, output }: { step: StepSpec; output: Pick<StepOutput, 'line'> },
  once: () => Promise<StepOutcome>,
): Promise<StepOutcome> {
  let outcome = await once()
  const { max_auto_reruns = 0, auto_rerun_delay_ms = 0 }: Partial<RunStep> =
    step.kind === 'run' ? step : {}
  for (let rerun = 1; rerun <= max_auto_reruns && hasFailed(outcome); rerun++) {
    const how = outcome.signal ?? `exit code ${outcome.exitCode}`
    const pause = auto_rerun_delay_ms === 0 ? '' : ` in ${formatDuration(auto_rerun_delay_ms)}`
    output.line(`caravan: ended with ${how}, is run again${pause} (${rerun} of ${max_auto_reruns})`)
    await sleep(clock, auto_rerun_delay_ms, ending.signal)
    if (ending.cause !== null) return outcome
    outcome = await once()
  }
  return outcome
}

/** What the command itself did may go well another time; silence, a full disk and mistakes come again. */
const MENDABLE: ReadonlySet<StepOutcome['reason']> = new Set(['exit_code', 'signal', 'oom'])

function hasFailed({ state, reason }: StepOutcome): boolean {
  return state === 'failed' && MENDABLE.has(reason)
}
