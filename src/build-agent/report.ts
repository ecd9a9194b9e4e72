/** The end of a slice: its last output, its last event, its exit code. */
import { AGENT_EXIT } from '../model/index.ts'
import { watchFlush } from './output/flush-budget.ts'
import type { Parts, SliceInput } from './slice.ts'
import type { SliceOutcome } from './steps/outcome.ts'
import { removeSpool } from './workspace.ts'

/** Tells how the slice ended, once the server has its output or will not get it from us. */
export async function report(
  input: SliceInput,
  parts: Parts,
  outcome: SliceOutcome,
): Promise<number> {
  const { ending, folders, plan, options } = input
  const { session, events, outputs } = parts
  const isComplete = await settleOutputs(input, parts)
  // The server may be done with us as soon as it has read the last event: its refusal to answer the poll
  // must not look like a fence.
  await session.stopPolling()
  if (ending.cause?.kind !== 'fenced') {
    events.push({ type: 'slice_finished', ...outcome, spool_peak_bytes: outputs.peakBacklog })
    await events.settle()
  }
  if (ending.cause?.kind === 'fenced') {
    await removeSpool(folders)
    return AGENT_EXIT.fenced
  }
  const facts = { result: outcome.result, reason: outcome.reason, isComplete }
  if (!events.isDelivered) {
    options.log.error('the end of the slice could not be told, the spool stays', facts)
    return AGENT_EXIT.notAcknowledged
  }
  if (!isComplete) {
    options.log.error('output is left behind, the spool stays', facts)
    return AGENT_EXIT.notAcknowledged
  }
  await removeSpool(folders)
  options.log.info('slice finished', facts)
  return plan.arrived.aborted ? AGENT_EXIT.signaled : AGENT_EXIT.finished
}

/** Waits for the server to take the output. @returns whether it has all of it. */
async function settleOutputs(
  { options, ending }: SliceInput,
  { session, outputs }: Parts,
): Promise<boolean> {
  const { clock, log, timings } = options
  const stop = watchFlush({
    clock,
    limitMs: timings.flushMs,
    heardMs: () => session.heardMs,
    backlog: () => outputs.backlog,
    onSpent: () => {
      log.error('the server answers and takes no output: it is left to the sweeper', {
        ms: timings.flushMs,
        bytes: outputs.backlog,
      })
      ending.giveUpOutput()
    },
  })
  try {
    return await outputs.settle()
  } finally {
    stop()
  }
}
