/** Fills in what depends on the kind of job, as Nomad's server does on registration. */
import type {
  JobSpecification,
  Job,
  ReschedulePolicy,
  RescheduleSpecification,
  RestartPolicy,
  RestartSpecification,
} from '../objects/job.ts'

const SECOND = 1_000_000_000
const HOUR = 3600 * SECOND

const BATCH_RESTART: RestartPolicy = {
  Attempts: 3,
  Interval: 24 * HOUR,
  Delay: 15 * SECOND,
  Mode: 'fail',
  RenderTemplates: false,
}
const SERVICE_RESTART: RestartPolicy = { ...BATCH_RESTART, Attempts: 2, Interval: HOUR / 2 }

const BATCH_RESCHEDULE: ReschedulePolicy = {
  Attempts: 1,
  Interval: 24 * HOUR,
  Delay: 5 * SECOND,
  DelayFunction: 'constant',
  MaxDelay: 0,
  Unlimited: false,
}
const SERVICE_RESCHEDULE: ReschedulePolicy = {
  Attempts: 0,
  Interval: 0,
  Delay: 30 * SECOND,
  DelayFunction: 'exponential',
  MaxDelay: HOUR,
  Unlimited: true,
}

/** What a specification says, with every policy complete. */
export type CompleteJob = JobSpecification & Pick<Job, 'TaskGroups'>

/** @returns the job with every policy complete; nothing the user wrote is changed. */
export function completeJob(specification: JobSpecification): CompleteJob {
  const { Type } = specification
  const runsOnce = Type === 'batch' || Type === 'sysbatch'
  const TaskGroups = specification.TaskGroups.map((group) => {
    const RestartPolicy = toRestartPolicy(
      group.RestartPolicy,
      runsOnce ? BATCH_RESTART : SERVICE_RESTART,
    )
    return {
      ...group,
      RestartPolicy,
      ReschedulePolicy: toReschedulePolicy(Type, group.ReschedulePolicy),
      Tasks: group.Tasks.map((task) => ({
        ...task,
        RestartPolicy: toRestartPolicy(task.RestartPolicy, RestartPolicy),
      })),
    }
  })
  return { ...specification, Name: specification.Name || specification.ID, TaskGroups }
}

function toRestartPolicy(
  asked: RestartSpecification | null,
  defaults: RestartPolicy,
): RestartPolicy {
  if (asked === null) return defaults
  return {
    Attempts: asked.Attempts ?? defaults.Attempts,
    Interval: asked.Interval ?? defaults.Interval,
    Delay: asked.Delay ?? defaults.Delay,
    Mode: asked.Mode || defaults.Mode,
    RenderTemplates: asked.RenderTemplates,
  }
}

function toReschedulePolicy(
  type: string,
  asked: RescheduleSpecification | null,
): ReschedulePolicy | null {
  // A job that runs on every node has nowhere else to go.
  if (type === 'system' || type === 'sysbatch') return null
  const defaults = type === 'batch' ? BATCH_RESCHEDULE : SERVICE_RESCHEDULE
  if (asked === null) return defaults
  return {
    Attempts: asked.Attempts ?? defaults.Attempts,
    Interval: asked.Interval ?? defaults.Interval,
    Delay: asked.Delay ?? defaults.Delay,
    DelayFunction: asked.DelayFunction || defaults.DelayFunction,
    MaxDelay: asked.MaxDelay ?? defaults.MaxDelay,
    Unlimited: asked.Unlimited ?? (asked.Attempts === null ? defaults.Unlimited : false),
  }
}
