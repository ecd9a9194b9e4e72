/** Tells people what happens in the region, one line per event, as it happens. */
import type { Log } from '../../platform/index.ts'
import type { WorldEvent } from './core/events.ts'

/** Writes the event into the log; what only repeats another event is left to `debug`. */
export function narrate(log: Log, event: WorldEvent): void {
  switch (event.type) {
    case 'group':
      return log.info(`group ${event.change}`, { group: event.group })
    case 'desired':
      return log.info('desired capacity changed', pick(event, ['group', 'from', 'to']))
    case 'machine':
      return log.info(`machine ${event.state}`, pick(event, ['instance']))
    case 'booted':
      return log.info('machine booted', pick(event, ['instance']))
    case 'state':
      return log.info('lifecycle state changed', {
        ...pick(event, ['instance', 'group']),
        from: event.from ?? '-',
        to: event.to,
      })
    case 'action-opened':
      return log.info('waits for a hook', {
        ...pick(event, ['instance', 'hook']),
        seconds: (event.deadlineAt - event.at) / 1000,
        capSeconds: (event.capAt - event.at) / 1000,
      })
    case 'heartbeat':
      return log.info('heartbeat recorded', {
        ...pick(event, ['instance', 'hook']),
        seconds: (event.deadlineAt - event.at) / 1000,
      })
    case 'action-closed':
      return tellClosed(log, event)
    case 'activity':
      return tellActivity(log, event)
    case 'protection':
      return log.info(event.isProtected ? 'scale-in protection on' : 'scale-in protection off', {
        ...pick(event, ['instance', 'group']),
      })
    case 'spot-notice':
      return log.warn('spot interruption notice', {
        ...pick(event, ['instance']),
        seconds: (event.time - event.at) / 1000,
      })
    case 'rebalance-recommendation':
      return log.warn('rebalance recommendation', pick(event, ['instance']))
    case 'unhealthy':
      return log.warn('instance unhealthy', pick(event, ['instance', 'group']))
  }
}

function tellClosed(log: Log, event: Extract<WorldEvent, { type: 'action-closed' }>): void {
  const fields = pick(event, ['instance', 'hook', 'result', 'by'])
  // Nobody completed it: what ran on the instance may have been cut off.
  if (event.by === 'timeout' || event.by === 'cap') log.warn('hook ran out of time', fields)
  else log.info('hook completed', fields)
}

function tellActivity(log: Log, { activity }: Extract<WorldEvent, { type: 'activity' }>): void {
  const { group, description, status, message } = activity
  if (status === 'Failed') log.warn('activity failed', { group, description, message })
  else log.debug('activity', { group, description, status })
}

function pick<Event extends object>(
  event: Event,
  keys: readonly (keyof Event & string)[],
): Record<string, unknown> {
  return Object.fromEntries(keys.map((key) => [key, event[key]]))
}
