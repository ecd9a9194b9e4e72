/** The script of a rehearsal: a JSON list of timed steps, read and checked before anything starts. */
import { z } from 'zod'
import type { Problem } from '../../../model/index.ts'
import { CaravanError, parseDurationMs, suggest } from '../../../model/index.ts'
import { isAction } from '../actions/index.ts'
import { DISTURBANCES, duration } from '../disturbance.ts'

const at = duration

/** Checked here, and read by the region. */
const durationText = z
  .string()
  .refine((text) => parseDurationMs(text) !== null, 'not a duration such as 5s or 2m')

/** Which instance: an id, or the `oldest` or `newest` that is in service, of one group or of all. */
const instance = z.string().min(1).default('oldest')
const group = z.string().min(1).optional()
const whole = z.number().int().min(0)

const size = z.number().int().min(1)

const steps = [
  /** Any action of the API, as the SDKs name it. */
  z
    .strictObject({
      at,
      do: z.literal('call'),
      service: z.enum(['autoscaling', 'ec2']).default('autoscaling'),
      action: z.string().min(1),
      input: z.record(z.string(), z.unknown()).default({}),
    })
    .refine(({ service, action }) => isAction(service, action), {
      path: ['action'],
      message: 'the emulator has no such action of that service',
    }),
  z.strictObject({ at, do: z.literal('scale'), group: z.string().min(1), desired: whole }),
  z.strictObject({
    at,
    do: z.literal('terminate'),
    instance,
    group,
    decrement: z.boolean().default(true),
  }),
  /** A batch job on the cluster, each of whose allocations takes that long and does nothing. */
  z.strictObject({
    at,
    do: z.literal('run'),
    job: z.string().min(1).default('rehearsal'),
    count: size.max(10_000).default(1),
    for: duration,
    cpu: size.default(1000),
    memory: size.default(256),
  }),
  /** The next calls of an action, or of all, go wrong. */
  z.strictObject({
    at,
    do: z.literal('fail-calls'),
    action: z.string().min(1).optional(),
    fault: z.string().min(1).default('Throttling'),
    times: size.default(1),
  }),
  z.strictObject({ at, do: z.literal('say'), text: z.string() }),
  /** The rehearsal is over: at once, or as soon as no group has anything left to do. */
  z.strictObject({ at, do: z.literal('end'), when: z.enum(['now', 'settled']).default('now') }),
] as const

const disturbances = [
  DISTURBANCES['spot-notice'].extend({ at, instance, group }),
  DISTURBANCES['rebalance-recommendation'].extend({
    at,
    instance,
    group,
  }),
  DISTURBANCES['self-shutdown'].extend({ at, instance, group }),
  DISTURBANCES['machine-failure'].extend({ at, instance, group }),
  DISTURBANCES['slow-shutdown'].extend({ at, instance, group, for: durationText }),
  DISTURBANCES['fail-launches'].extend({ at }),
  DISTURBANCES['mend-launches'].extend({ at }),
  DISTURBANCES['break-boots'].extend({ at }),
  z.strictObject({
    at,
    do: z.literal('lag'),
    group: durationText.optional(),
    instance: durationText.optional(),
    ec2: durationText.optional(),
    activity: durationText.optional(),
    imds: durationText.optional(),
  }),
] as const

const KINDS = [...steps, ...disturbances] as const
const step = z.discriminatedUnion('do', KINDS)

export type Step = z.infer<typeof step> & {
  /** Its place in the file, from 1. */
  number: number
}

/** More than a day of steps every minute: a longer one is a mistake. */
const STEPS_MAX = 2000

const script = z.array(step).min(1).max(STEPS_MAX)

/**
 * Steps by time; those of one time in the order of the file.
 *
 * @param file names it in the problems.
 * @throws CaravanError INPUT_INVALID with every problem.
 */
export function parseScript(text: string, file: string): Step[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw refuse(file, [{ file, line: 0, message: 'is no JSON' }], cause)
  }
  const parsed = script.safeParse(value)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => ({
      file,
      line: 0,
      path: issue.path.join('.'),
      message: `${toPlace(issue.path)}: ${explain(issue, value)}`,
    }))
    throw refuse(file, problems)
  }
  return parsed.data
    .map((each, index): Step => ({ ...each, number: index + 1 }))
    .toSorted((a, b) => a.at - b.at)
}

function refuse(file: string, problems: Problem[], cause?: unknown): CaravanError {
  const message = `${file} is no script of a rehearsal: a JSON list of steps such as {"at":"5s","do":"terminate"}`
  return new CaravanError('INPUT_INVALID', message, { detail: { problems }, cause })
}

/** `step 3, instance`: people count from one. */
function toPlace(path: readonly PropertyKey[]): string {
  const [index, ...rest] = path
  if (typeof index !== 'number') return 'the script'
  return [`step ${index + 1}`, rest.join('.')].filter((part) => part !== '').join(', ')
}

const NAMES = KINDS.map((kind) => kind.shape.do.value)

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  record: 'an object',
  object: 'an object',
  array: 'a list',
}

function explain(issue: z.core.$ZodIssue, input: unknown): string {
  const value = issue.path.reduce<unknown>((inner, key) => {
    return typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined
  }, input)
  if (issue.code === 'unrecognized_keys') return `takes no ${issue.keys.join(' and no ')}`
  if (value === undefined) return 'is missing'
  if (issue.code === 'invalid_union') {
    const near = typeof value === 'string' ? suggest(value, NAMES) : null
    const hint = near === null ? `there are ${NAMES.join(', ')}` : `did you mean ${near}?`
    return `there is no ${JSON.stringify(value)}; ${hint}`
  }
  if (issue.code === 'invalid_type') return `expected ${TYPES[issue.expected] ?? issue.expected}`
  if (issue.code === 'too_small' && issue.origin === 'array') return 'has no step'
  return issue.message
}
