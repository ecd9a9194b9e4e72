/** What Nomad does when something ends, fails or changes. */
import type { BlockSchema } from './table.ts'

export const restart: BlockSchema = {
  attributes: {
    attempts: ['Attempts', 'whole'],
    interval: ['Interval', 'duration'],
    delay: ['Delay', 'duration'],
    mode: ['Mode', 'text'],
    render_templates: ['RenderTemplates', 'flag'],
  },
}

export const reschedule: BlockSchema = {
  attributes: {
    attempts: ['Attempts', 'whole'],
    interval: ['Interval', 'duration'],
    delay: ['Delay', 'duration'],
    delay_function: ['DelayFunction', 'text'],
    max_delay: ['MaxDelay', 'duration'],
    unlimited: ['Unlimited', 'flag'],
  },
}

export const disconnect: BlockSchema = {
  attributes: {
    lost_after: ['LostAfter', 'duration'],
    stop_on_client_after: ['StopOnClientAfter', 'duration'],
    replace: ['Replace', 'flag'],
    reconcile: ['Reconcile', 'text'],
  },
}

export const update: BlockSchema = {
  attributes: {
    stagger: ['Stagger', 'duration'],
    max_parallel: ['MaxParallel', 'whole'],
    health_check: ['HealthCheck', 'text'],
    min_healthy_time: ['MinHealthyTime', 'duration'],
    healthy_deadline: ['HealthyDeadline', 'duration'],
    progress_deadline: ['ProgressDeadline', 'duration'],
    auto_revert: ['AutoRevert', 'flag'],
    auto_promote: ['AutoPromote', 'flag'],
    canary: ['Canary', 'whole'],
  },
}
