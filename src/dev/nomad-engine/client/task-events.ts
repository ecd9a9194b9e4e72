/** Events of a task, in the words that Nomad's own client uses and operators know. */
import { formatDuration } from '../../../model/index.ts'
import type { TaskEvent } from '../objects/allocation.ts'
import { toNanoseconds } from '../objects/values.ts'
import type { TaskExit } from './driver.ts'

/** An event before it has a time. */
export type EventBody = Omit<TaskEvent, 'Time' | 'Message' | 'Details'> &
  Partial<Pick<TaskEvent, 'Message' | 'Details'>>

/** Nomad keeps the last ten of a task. */
const EVENTS_MAX = 10

export function addEvent(
  events: readonly TaskEvent[],
  body: EventBody,
  nowMs: number,
): TaskEvent[] {
  const event = { Message: '', Details: {}, ...body, Time: toNanoseconds(nowMs) }
  return [...events, event].slice(-EVENTS_MAX)
}

export const taskEvent = {
  received: (): EventBody => ({ Type: 'Received', DisplayMessage: 'Task received by client' }),

  setup: (): EventBody => {
    const message = 'Building Task Directory'
    return { Type: 'Task Setup', DisplayMessage: message, Message: message, Details: { message } }
  },

  started: (): EventBody => ({ Type: 'Started', DisplayMessage: 'Task started by client' }),

  driverFailure: (message: string): EventBody => ({
    Type: 'Driver Failure',
    DisplayMessage: message,
    DriverError: message,
    Details: { driver_error: message },
  }),

  failedValidation: (message: string): EventBody => ({
    Type: 'Failed Validation',
    DisplayMessage: message,
    ValidationError: message,
    Details: { validation_error: message },
  }),

  terminated: ({ code, signal, error }: TaskExit): EventBody => {
    const parts = [`Exit Code: ${code}`]
    if (signal > 0) parts.push(`Signal: ${signal}`)
    if (error !== undefined) parts.push(`Exit Message: "${error}"`)
    return {
      Type: 'Terminated',
      DisplayMessage: parts.join(', '),
      Message: error ?? '',
      ExitCode: code,
      Signal: signal,
      Details: {
        exit_code: String(code),
        signal: String(signal),
        oom_killed: 'false',
        ...(error === undefined ? {} : { exit_message: error }),
      },
    }
  },

  restarting: (delayMs: number, reason: string): EventBody => ({
    Type: 'Restarting',
    DisplayMessage: `${reason === WITHIN_POLICY ? 'Task restarting' : `${reason} - Task restarting`} in ${formatDuration(delayMs)}`,
    RestartReason: reason,
    StartDelay: toNanoseconds(delayMs),
    Details: { restart_reason: reason, start_delay: String(toNanoseconds(delayMs)) },
  }),

  notRestarting: (reason: string): EventBody => ({
    Type: 'Not Restarting',
    DisplayMessage: reason,
    RestartReason: reason,
    FailsTask: true,
    Details: { restart_reason: reason, fails_task: 'true' },
  }),

  killing: (timeoutMs: number, reason: string): EventBody => {
    const duration = formatDuration(timeoutMs)
    return {
      Type: 'Killing',
      DisplayMessage: reason || `Sent interrupt. Waiting ${duration} before force killing`,
      KillTimeout: toNanoseconds(timeoutMs),
      Details: { kill_timeout: duration },
    }
  },

  killed: (): EventBody => ({ Type: 'Killed', DisplayMessage: 'Task successfully killed' }),

  leaderDead: (): EventBody => ({
    Type: 'Leader Task Dead',
    DisplayMessage: 'Leader Task in Group dead',
  }),

  siblingFailed: (sibling: string): EventBody => ({
    Type: 'Sibling Task Failed',
    DisplayMessage: `Task's sibling "${sibling}" failed`,
    FailedSibling: sibling,
    Details: { failed_sibling: sibling },
  }),

  shutdownDelay: (delayMs: number): EventBody => {
    const message = `Waiting for shutdown_delay of ${formatDuration(delayMs)} before killing the task.`
    return { Type: 'Waiting for shutdown delay', DisplayMessage: message, Message: message }
  },
}

/** Why a restart happens that its policy allows. */
export const WITHIN_POLICY = 'Restart within policy'
