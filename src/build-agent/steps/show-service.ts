/** The output of a service, as a step that runs beside all others. */
import { describeCause } from '../../platform/index.ts'
import type { StepOutput } from '../output/step-output.ts'
import { failed, type StepOutcome } from './outcome.ts'
import type { Service } from '../executors/docker/services.ts'

const SUCCEEDED: StepOutcome = { state: 'succeeded', exitCode: null, signal: null, reason: null }

/** Shows what it writes until it ends, or the job does. Whether it failed is for the steps to feel. */
export async function showService(
  service: Service | undefined,
  output: StepOutput,
  jobOver: AbortSignal,
): Promise<StepOutcome> {
  if (service === undefined) return failed('executor_lost')
  if (service.failure !== null) {
    output.line(`caravan: the service did not start: ${service.failure}`)
    service.close()
    return failed('exit_code')
  }
  const stop = () => service.close()
  jobOver.addEventListener('abort', stop, { once: true })
  if (jobOver.aborted) stop()
  try {
    for await (const bytes of service.output) {
      if (!output.write(bytes)) await roomIn(output, jobOver)
    }
  } catch (cause) {
    // Our own end of the job cuts the connection, too.
    if (!jobOver.aborted) output.line(`caravan: the output ends here: ${describeCause(cause)}`)
  }
  jobOver.removeEventListener('abort', stop)
  if (jobOver.aborted) return SUCCEEDED
  const exitCode = await service.exitCode()
  if (exitCode === null) return failed('executor_lost')
  output.line(`caravan: the service ended with exit code ${exitCode}; the job goes on without it`)
  return exitCode === 0 ? { ...SUCCEEDED, exitCode } : failed('exit_code', { exitCode })
}

async function roomIn(output: StepOutput, jobOver: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const go = () => {
      output.onRoom = () => undefined
      resolve()
    }
    output.onRoom = () => {
      if (!output.isFull) go()
    }
    if (jobOver.aborted || !output.isFull) go()
    else jobOver.addEventListener('abort', go, { once: true })
  })
}
