/** Whether two versions of a job differ, and whether a running allocation must go because of it. */
import { isDeepStrictEqual } from 'node:util'
import type { Job, TaskGroup } from '../objects/job.ts'
import type { CompleteJob } from './defaults.ts'

/** What the engine keeps about a job; the rest is what the user asked for. */
const KEPT: ReadonlySet<string> = new Set([
  'Stop',
  'Stable',
  'Status',
  'StatusDescription',
  'Version',
  'SubmitTime',
  'NomadTokenID',
  'CreateIndex',
  'ModifyIndex',
  'JobModifyIndex',
] satisfies (keyof Job)[])

/** True when the user asks for something else than what is stored. */
export function isSpecificationChanged(stored: Job, asked: CompleteJob): boolean {
  const before = Object.fromEntries(Object.entries(stored).filter(([key]) => !KEPT.has(key)))
  return !isDeepStrictEqual(before, { ...asked })
}

/** True when an allocation of `before` can not become one of `after` without starting anew. */
export function isDestructive(before: Job, after: Job, groupName: string): boolean {
  const [old, next] = [before, after].map((job) =>
    job.TaskGroups.find((group) => group.Name === groupName),
  )
  if (old === undefined || next === undefined) return true
  return !isDeepStrictEqual([before.Meta, toRunning(old)], [after.Meta, toRunning(next)])
}

/** What a running allocation was built from. */
function toRunning(group: TaskGroup) {
  const { Tasks, Meta, Networks, EphemeralDisk, MaxRunDuration } = group
  return { Tasks, Meta, Networks, EphemeralDisk, MaxRunDuration }
}
