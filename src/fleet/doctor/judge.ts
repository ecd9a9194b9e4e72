/** What is wrong with a group before an instance of it has to go. Pure. */
import type { AwsGroup, AwsHook, AwsInstance } from '../../platform/index.ts'
import { chooseHook, chooseLaunchHook } from '../lifecycle/hooks.ts'

export interface Finding {
  check: string
  state: 'ok' | 'warning' | 'failed'
  detail: string
}

export interface GroupFacts {
  group: AwsGroup
  hooks: readonly AwsHook[]
  /** As EC2 tells them; empty when it was not asked. */
  instances: readonly AwsInstance[]
  /** The longest that a slice may run. */
  longestMs: number
  /** Name of our hook, where a group has several. */
  hook: string | undefined
}

type Judge = (facts: GroupFacts) => Omit<Finding, 'check'>

const JUDGES: Readonly<Record<string, Judge>> = {
  'terminating hook': judgeHook,
  'hook time': judgeTime,
  'default result': judgeDefault,
  'launching hook': judgeLaunching,
  sizes: judgeSizes,
  processes: judgeProcesses,
  protection: judgeProtection,
  lifetime: judgeLifetime,
  metadata: judgeMetadata,
}

export function judgeGroup(facts: GroupFacts): Finding[] {
  const judged = Object.entries(JUDGES).map(([check, judge]) => ({ check, ...judge(facts) }))
  return judged.map((each) => ({ ...each, check: `${facts.group.name}: ${each.check}` }))
}

const ok = (detail: string) => ({ state: 'ok' as const, detail })
const warning = (detail: string) => ({ state: 'warning' as const, detail })
const failed = (detail: string) => ({ state: 'failed' as const, detail })

function judgeHook({ hooks, hook }: GroupFacts) {
  const choice = chooseHook(hooks, hook)
  if (choice.kind === 'one') return ok(choice.hook.name)
  if (choice.kind === 'several') {
    return failed(`there are several (${choice.names.join(', ')}): name ours with --hook`)
  }
  return failed(
    'there is none: whatever ends an instance ends its builds; make one with put-lifecycle-hook',
  )
}

/** A controller that is away for a while finds its hooks still waiting. */
const TIMEOUT_MIN_MS = 5 * 60_000

function judgeTime({ group, hooks, hook, longestMs }: GroupFacts) {
  const choice = chooseHook(hooks, hook)
  if (choice.kind !== 'one') return warning('not known without a hook')
  const { timeoutMs, capMs } = choice.hook
  const told = `${seconds(timeoutMs)} between heartbeats, ${hours(capMs)} in all`
  if (capMs < longestMs && group.retains) {
    return ok(
      `${told}: then the group retains the instance, and a controller ends it when it is empty`,
    )
  }
  if (capMs < longestMs) {
    const need = Math.ceil(longestMs / 100_000)
    return failed(
      `${told}: a slice may run ${hours(longestMs)}, and the hook ends before it; at least ${need} s between heartbeats are needed (1800 s are well)`,
    )
  }
  if (timeoutMs < TIMEOUT_MIN_MS) {
    return warning(`${told}: whoever beats may not be away longer than that; 1800 s are well`)
  }
  return ok(told)
}

function judgeDefault({ hooks, hook }: GroupFacts) {
  const choice = chooseHook(hooks, hook)
  if (choice.kind !== 'one') return warning('not known without a hook')
  const others = hooks.filter(({ transition }) => transition === 'terminating').length - 1
  if (choice.hook.defaultResult === 'ABANDON' && others > 0) {
    return warning('ABANDON: when it comes, what the other terminating hooks wait for ends, too')
  }
  return ok(choice.hook.defaultResult)
}

function judgeLaunching({ group, hooks }: GroupFacts) {
  const launching = hooks.filter(({ transition }) => transition === 'launching')
  if (launching.length === 0) return ok('none')
  const ours = chooseLaunchHook(hooks)
  if (ours.kind === 'several') {
    return failed(`several begin with "caravan" (${ours.names.join(', ')}): none is completed`)
  }
  const own = ours.kind === 'one' ? ours.hook.name : null
  const others = launching.filter(({ name }) => name !== own)
  if (own !== null && group.hasWarmPool) {
    return warning(`${own}: machines of the warm pool wait in it, too, and have no node`)
  }
  if (own !== null && others.length === 0) return ok(`${own}: completed when the node is ready`)
  const names = others.map(({ name }) => name).join(', ')
  const isAbandoned = others.some(({ defaultResult }) => defaultResult === 'ABANDON')
  return isAbandoned
    ? warning(`${names}: an instance that nobody completes is ended and replaced (ABANDON)`)
    : ok(names)
}

function judgeSizes({ group: { min, max, desired } }: GroupFacts) {
  const told = `min ${min}, desired ${desired}, max ${max}`
  if (max === 0) return failed(`${told}: nothing can be launched`)
  if (min === max) return warning(`${told}: it neither grows nor shrinks`)
  if (desired >= max) return warning(`${told}: it can not grow any more`)
  return ok(told)
}

/** Without these, nothing comes or nothing goes. */
const NEEDED = ['Launch', 'Terminate']

function judgeProcesses({ group: { suspended, status } }: GroupFacts) {
  if (status !== null) return failed(`the group is not to stay: ${status}`)
  const missing = suspended.filter((name) => NEEDED.includes(name))
  if (missing.length > 0) return failed(`${missing.join(' and ')} suspended: resume-processes`)
  return ok(suspended.length === 0 ? 'none suspended' : `${suspended.join(', ')} suspended`)
}

function judgeProtection({ group: { protectsNew, instances } }: GroupFacts) {
  const open = instances.filter((each) => !each.isProtected).length
  if (protectsNew) return ok(`new instances are protected; ${open} of ${instances.length} are not`)
  return warning(
    'new instances are not protected from scale-in: a rebalance may take one before its first build',
  )
}

function judgeLifetime({ group: { maxLifetimeMs, hasWarmPool } }: GroupFacts) {
  if (hasWarmPool) return warning('it has a warm pool: those machines must not join Nomad')
  if (maxLifetimeMs === null) return ok('not limited by the group')
  return warning(
    `the group ends instances after ${hours(maxLifetimeMs)}, up to a tenth of them at once: let max_age of the pool be shorter`,
  )
}

function judgeMetadata({ instances }: GroupFacts) {
  if (instances.length === 0) return ok('no instance to look at')
  const open = instances.filter(({ requiresTokens }) => !requiresTokens)
  const far = instances.filter(({ hopLimit }) => (hopLimit ?? 1) > 1)
  if (open.length > 0) {
    return warning(
      `${open.length} of ${instances.length} answer without a token (http_tokens): any build can read credentials`,
    )
  }
  if (far.length > 0) {
    return warning(
      `${far.length} of ${instances.length} answer over more than one hop: containers can read credentials unless the firewall forbids it`,
    )
  }
  return ok('tokens are required, one hop')
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}

function hours(ms: number): string {
  return ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 360_000) / 10} h`
}
