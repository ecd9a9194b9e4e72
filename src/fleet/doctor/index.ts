/** Looks at groups and permissions before an instance has to go. */
import {
  awsProblemOf,
  describeCause,
  type AwsGroup,
  type AwsHook,
  type AwsInstance,
  type AwsRegion,
} from '../../platform/index.ts'
import { judgeGroup, type Finding } from './judge.ts'

export type { Finding } from './judge.ts'

type DoctorAws = Pick<
  AwsRegion,
  | 'readGroups'
  | 'readHooks'
  | 'readMembers'
  | 'readActivities'
  | 'readInstances'
  | 'heartbeat'
  | 'completeAction'
  | 'terminateInGroup'
  | 'setProtection'
>

export interface DoctorQuestion {
  group: string
  hook: string | undefined
  longestMs: number
  /** Whether the permissions of a controller are tried, too, not only those of an instance. */
  isController: boolean
}

/** No instance has it: what is asked about it changes nothing, and still tells whether it may be asked. */
const NOBODY = 'i-00000000000000000'

export async function examineGroup(aws: DoctorAws, question: DoctorQuestion): Promise<Finding[]> {
  const { group: name, hook, longestMs } = question
  const findings: Finding[] = []
  const ask = async <T>(check: string, call: () => Promise<T>): Promise<T | null> => {
    try {
      return await call()
    } catch (cause) {
      const isRefused = awsProblemOf(cause) === 'forbidden'
      const detail = isRefused ? `not allowed: ${describeCause(cause)}` : describeCause(cause)
      findings.push({ check: `${name}: ${check}`, state: 'failed', detail })
      return null
    }
  }
  const group: AwsGroup | null = await ask('DescribeAutoScalingGroups', async () => {
    const [found] = await aws.readGroups([name])
    if (found === undefined) throw new Error('there is no such group in this region')
    return found
  })
  if (group === null) return findings
  const hooks: AwsHook[] | null = await ask('DescribeLifecycleHooks', () => aws.readHooks(name))
  const ids = group.instances.map(({ instanceId }) => instanceId)
  const instances: AwsInstance[] | null = await ask('DescribeInstances', () =>
    aws.readInstances(ids),
  )
  await tryPermissions(aws, question, ask)
  if (findings.length === 0) {
    findings.push({ check: `${name}: permissions`, state: 'ok', detail: 'all that was tried' })
  }
  if (hooks === null) return findings
  const facts = { group, hooks, instances: instances ?? [], longestMs, hook }
  return [...findings, ...judgeGroup(facts)]
}

type Ask = <T>(check: string, call: () => Promise<T>) => Promise<T | null>

async function tryPermissions(
  aws: DoctorAws,
  { group, hook = 'caravan-doctor', isController }: DoctorQuestion,
  ask: Ask,
): Promise<void> {
  const action = { group, hook, instanceId: NOBODY }
  await ask('DescribeAutoScalingInstances', () => aws.readMembers([NOBODY]))
  await ask('RecordLifecycleActionHeartbeat', () => aws.heartbeat(action))
  await ask('CompleteLifecycleAction', () => aws.completeAction(action, 'CONTINUE'))
  if (!isController) return
  await ask('DescribeScalingActivities', () => aws.readActivities(group, 1))
  await ask('TerminateInstanceInAutoScalingGroup', () => aws.terminateInGroup(NOBODY, true))
  await ask('SetInstanceProtection', () => aws.setProtection(group, [NOBODY], true))
}
