/** The blocks `pool "name" { ... }` of the settings, and what has to fit together among them. */
import { z } from 'zod'
import { isTimeZone, parseCron } from './cron.ts'
import { duration } from './setting-types.ts'

const count = z.number().int().min(0).max(10_000)

const machine = (vcpu: number, memory: number) =>
  z
    .strictObject({
      vcpu: z.number().min(0),
      /** MiB. */
      memory: z.number().int().min(0),
    })
    .prefault({ vcpu, memory })

const schedule = z.strictObject({
  name: z.string(),
  cron: z.string().superRefine((text, context) => {
    const parsed = parseCron(text)
    if (typeof parsed !== 'string') return
    context.addIssue({
      code: 'custom',
      message: `no line of cron such as "0 7 * * 1-5": ${parsed}`,
    })
  }),
  zone: z.string().refine(isTimeZone, 'no time zone such as "Europe/Berlin"').default('UTC'),
  for: duration,
  floor: count,
})

const idleOff = z.string().transform((text, context) => {
  if (text === 'auto') return 'auto' as const
  const parsed = duration.safeParse(text)
  if (parsed.success) return parsed.data
  const message = 'neither "auto" nor a duration such as "10m" or "1h30m"'
  context.addIssue({ code: 'custom', message })
  return z.NEVER
})

export const pool = z.strictObject({
  name: z.string(),
  /** Of Auto Scaling. */
  group: z.string().min(1),
  region: z.string().regex(/^[a-z]{2}(?:-[a-z]+)+-\d$/, 'no region such as "us-east-1"'),
  min: count.default(0),
  max: count.min(1),
  /** How long a node may be without a slice before it goes; `auto`: by how long its machines boot. */
  idle_off: idleOff.prefault('auto'),
  /** Its instances may be taken away at any time. */
  spot: z.boolean().default(false),
  /** Older nodes are replaced, one budget at a time. */
  max_age: duration.optional(),
  /** What one machine has. */
  instance: z.strictObject({ vcpu: z.number().positive(), memory: z.number().int().positive() }),
  /** What of it is left for the machine itself. */
  reserve: machine(2, 4096),
  /** How many nodes may go at once by our own will; 10 percent when nothing is said. */
  budget: z
    .strictObject({
      percent: z.number().min(0).max(100).optional(),
      count: z.number().int().min(1).max(10_000).optional(),
    })
    .prefault({}),
  schedule: z.array(schedule).default([]),
})

type Pool = z.infer<typeof pool>

export interface PoolProblem {
  path: (string | number)[]
  message: string
}

/** What no single value is wrong with. */
export function findPoolProblems(
  pools: readonly Pool[],
  classes: readonly { name: string; pool?: readonly string[] | undefined }[],
): PoolProblem[] {
  return [
    ...pools.flatMap((each, at) => problemsOf(each, ['pool', at])),
    ...pools.flatMap((each, at) => {
      const twin = pools.findIndex(
        (other) => other.group === each.group && other.region === each.region,
      )
      if (twin === at) return []
      const message = `is the group of pool "${pools[twin]?.name}" already`
      return [{ path: ['pool', at, 'group'], message }]
    }),
    // Without a pool the fleet is not ours to manage, and the name may mean something to a template.
    ...(pools.length === 0 ? [] : classes).flatMap((each, at) => {
      const problem = (message: string) => ({ path: ['class', at, 'pool'], message })
      return (each.pool ?? []).flatMap((name, index, all) => {
        if (all.indexOf(name) < index) return [problem(`names pool "${name}" twice`)]
        return pools.some((known) => known.name === name)
          ? []
          : [problem(`there is no pool "${name}"`)]
      })
    }),
  ]
}

function problemsOf(
  { min, max, instance, reserve, budget, schedule: schedules }: Pool,
  path: (string | number)[],
): PoolProblem[] {
  const problems: PoolProblem[] = []
  const add = (key: string, message: string) => problems.push({ path: [...path, key], message })
  if (min > max) add('min', `is above max, which is ${max}`)
  if (instance.vcpu <= reserve.vcpu || instance.memory <= reserve.memory) {
    add('instance', 'leaves nothing for slices beside the reserve')
  }
  if (budget.percent !== undefined && budget.count !== undefined) {
    add('budget', 'takes percent or count, not both')
  }
  for (const [at, { floor }] of schedules.entries()) {
    if (floor <= max) continue
    const message = `is above the pool's max, which is ${max}`
    problems.push({ path: [...path, 'schedule', at, 'floor'], message })
  }
  return problems
}
