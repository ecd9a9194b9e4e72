/**
 * Tasks that only take time: any number of nodes and builds in one process, on a driven clock.
 *
 * The configuration is that of Nomad's own mock driver, as far as simulations need it.
 */
import { z } from 'zod'
import { parseDurationMs } from '../../../model/index.ts'
import type { Clock } from '../../../platform/index.ts'
import type { Driver, Launch, RunningTask, StartOutcome, TaskExit } from './driver.ts'
import { DEFAULT_KILL_SIGNAL, toSignalNumber } from './signals.ts'

const duration = z.union([z.number().nonnegative(), z.string()]).transform((value, context) => {
  // A number is nanoseconds, as everywhere in Nomad's JSON.
  const ms = typeof value === 'number' ? value / 1_000_000 : parseDurationMs(value)
  if (ms !== null) return ms
  context.addIssue({ code: 'custom', message: `not a duration: "${value}"` })
  return z.NEVER
})

const config = z.looseObject({
  run_for: duration.default(0),
  exit_code: z.number().int().default(0),
  exit_signal: z.number().int().default(0),
  start_error: z.string().default(''),
  /** How long it goes on after it was asked to end. */
  kill_after: duration.default(0),
})

export function createSimulatedDriver(clock: Clock): Driver {
  return {
    keepsFiles: false,
    recover: () => Promise.resolve(null),
    start(launch: Launch): Promise<StartOutcome> {
      const parsed = config.safeParse(launch.config)
      if (!parsed.success) {
        const message = z.prettifyError(parsed.error)
        return Promise.resolve({ ok: false, type: 'Failed Validation', message })
      }
      const plan = parsed.data
      if (plan.start_error) {
        return Promise.resolve({ ok: false, type: 'Driver Failure', message: plan.start_error })
      }
      return Promise.resolve({ ok: true, running: run(clock, plan) })
    },
  }
}

function run(clock: Clock, plan: z.infer<typeof config>): RunningTask {
  let finish: (exit: TaskExit) => void = () => undefined
  const exit = new Promise<TaskExit>((resolve) => (finish = resolve))
  const end = { code: plan.exit_code, signal: plan.exit_signal }
  let next = clock.after(plan.run_for, () => finish(end))
  let isKilled = false
  return {
    exit,
    kill(signal, timeoutMs) {
      if (isKilled) return
      isKilled = true
      next.cancel()
      const obeys = plan.kill_after <= timeoutMs
      const number = toSignalNumber(obeys ? signal || DEFAULT_KILL_SIGNAL : 'SIGKILL')
      const delayMs = Math.min(plan.kill_after, timeoutMs)
      const die = () => finish({ code: 128 + number, signal: number })
      if (delayMs > 0) next = clock.after(delayMs, die)
      else die()
    },
    usage: () => ({ memoryBytes: 0, userMs: 0, systemMs: 0 }),
    detach: () => next.cancel(),
  }
}
