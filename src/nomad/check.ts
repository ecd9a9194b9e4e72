/**
 * The shape of Nomad's answers, checked where they come in.
 *
 * Only the fields are looked at that Caravan can not do without, and nothing is copied: a poll of a
 * large cluster reads a hundred thousand of these.
 */
import type {
  AgentSelf,
  JobStatus,
  NomadAllocation,
  NomadEvaluation,
  NomadEvent,
  NomadJob,
  NomadJobStub,
  NomadNode,
  SchedulerConfiguration,
} from './wire.ts'

/** @throws Error with a sentence that names the place. */
export type Check<T> = (value: unknown) => T

/** With a question mark: may be left out, or null. */
type FieldType = 'string' | 'number' | 'object' | 'list' | 'string?' | 'object?' | 'list?'

export const checkJob = object<NomadJob>({
  ID: 'string',
  Type: 'string',
  TaskGroups: 'list',
  Meta: 'object?',
})
/** What the parser leaves open is null, down to the type. */
export const checkParsedJob = object<NomadJob>({ ID: 'string' })
export const checkJobStubs = list(
  object<NomadJobStub>({ ID: 'string', Status: 'string', ModifyIndex: 'number' }),
)
export const checkJobStatuses = list(object<JobStatus>({ ID: 'string', Status: 'string' }))
const checkAllocationFields = object<NomadAllocation>({
  ID: 'string',
  JobID: 'string',
  NodeID: 'string',
  DesiredStatus: 'string',
  ClientStatus: 'string',
  ModifyIndex: 'number',
  TaskStates: 'object?',
})
const checkTaskState = object<{ Events?: unknown }>({ Events: 'list?' })
const checkTaskEvent = object<{ Type: string; Details?: unknown }>({
  Type: 'string',
  Details: 'object?',
})
/** Down to the events of its tasks: they decide on how a slice ended. */
export const checkAllocation: Check<NomadAllocation> = (value) => {
  const allocation = checkAllocationFields(value)
  for (const state of Object.values(allocation.TaskStates ?? {})) {
    for (const event of (checkTaskState(state).Events ?? []) as unknown[]) checkTaskEvent(event)
  }
  return allocation
}
export const checkAllocations = list(checkAllocation)
export const checkEvaluation = object<NomadEvaluation>({
  ID: 'string',
  JobID: 'string',
  Status: 'string',
  ModifyIndex: 'number',
  FailedTGAllocs: 'object?',
})
export const checkEvaluations = list(checkEvaluation)
export const checkNode = object<NomadNode>({
  ID: 'string',
  Name: 'string',
  Datacenter: 'string?',
  NodeClass: 'string?',
  NodeResources: 'object?',
  ReservedResources: 'object?',
  Status: 'string',
  SchedulingEligibility: 'string',
  ModifyIndex: 'number',
})
export const checkNodes = list(checkNode)
export const checkJobReceipt = object<{
  EvalID: string
  JobModifyIndex: number
  Warnings?: string
}>({ EvalID: 'string', JobModifyIndex: 'number' })
export const checkNodeReceipt = object<{ EvalIDs: string[] | null; NodeModifyIndex: number }>({
  NodeModifyIndex: 'number',
})
export const checkAgentSelf = object<AgentSelf>({})
export const checkSchedulerConfiguration = object<{ SchedulerConfig: SchedulerConfiguration }>({
  SchedulerConfig: 'object',
})
const checkEvents = list(
  object<NomadEvent>({ Topic: 'string', Type: 'string', Key: 'string', Payload: 'object' }),
)
export const checkEventBatch: Check<{ Index: number; Events: NomadEvent[] }> = (value) => {
  const batch = object<{ Index: number; Events: NomadEvent[] }>({ Index: 'number' })(value)
  return { Index: batch.Index, Events: checkEvents(batch.Events) }
}

/** Objects that have these texts; all else is checked where it is used, since old versions lack it. */
export function checkReadings<T>(required: readonly string[]): Check<T[]> {
  const fields = Object.fromEntries(required.map((name) => [name, 'string' as const]))
  return list(object<object>(fields)) as unknown as Check<T[]>
}

export const checkText: Check<string> = (value) => {
  if (typeof value !== 'string') throw new Error('it is no text')
  return value
}

function object<T extends object>(fields: { readonly [Name in keyof T]?: FieldType }): Check<T> {
  const wanted = Object.entries(fields) as [string, FieldType][]
  return (value) => {
    if (!isObject(value)) throw new Error('it is no object')
    for (const [name, type] of wanted) {
      if (!isA(type, value[name])) throw new Error(`${name} is no ${type.replace('?', '')}`)
    }
    return value as T
  }
}

/** Nomad may write an empty list as null. */
function list<T>(check: Check<T>): Check<T[]> {
  return (value) => {
    if (value === null) return []
    if (!Array.isArray(value)) throw new Error('it is no list')
    for (const [place, item] of value.entries()) {
      try {
        check(item)
      } catch (cause) {
        throw new Error(`item ${place} is malformed`, { cause })
      }
    }
    return value as T[]
  }
}

function isA(type: FieldType, value: unknown): boolean {
  if (type.endsWith('?')) {
    return value === undefined || value === null || isA(type.slice(0, -1) as FieldType, value)
  }
  if (type === 'list') return Array.isArray(value)
  if (type === 'object') return isObject(value)
  return typeof value === type
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
