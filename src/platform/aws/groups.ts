/** Calls to Auto Scaling: what groups are like, and the few changes that the fleet makes. */
import type * as Sdk from '@aws-sdk/client-auto-scaling'
import { awsProblemOf } from './failure.ts'
import {
  BEAT_MS,
  clientOptions,
  createCaller,
  inParts,
  readAllPages,
  type AwsSettings,
  type Caller,
} from './call.ts'
import { toActivity, toGroup, toHook, toMember } from './group-views.ts'
import type { ActionOutcome, AwsRegion } from './types.ts'

type GroupReads = Pick<
  AwsRegion,
  'readGroups' | 'readMembers' | 'readHooks' | 'readActivities' | 'isRefreshing'
>
type GroupWrites = Pick<
  AwsRegion,
  'setDesired' | 'updateGroup' | 'terminateInGroup' | 'setProtection'
>
type HookWrites = Pick<AwsRegion, 'heartbeat' | 'completeAction'>

interface Connection {
  sdk: typeof Sdk
  client: Sdk.AutoScalingClient
  /**
   * For what is not repeated inside: beats, which nothing else may hold up either, and terminations, of
   * which a second one after a lost answer might take a second one off the size.
   */
  once: Sdk.AutoScalingClient
}

interface Deps {
  connect: () => Promise<Connection>
  call: Caller
}

export function createGroupCalls(
  settings: AwsSettings,
): GroupReads & GroupWrites & HookWrites & { close(): void } {
  let opened: Promise<Connection> | null = null
  const connect = () => (opened ??= open(settings))
  const deps: Deps = { connect, call: createCaller(settings) }
  return {
    ...createReads(deps),
    ...createWrites(deps),
    ...createProtection(deps),
    ...createHookWrites(deps),
    close() {
      void opened?.then(
        ({ client, once }) => [client, once].forEach((each) => each.destroy()),
        () => undefined,
      )
    },
  }
}

async function open(settings: AwsSettings): Promise<Connection> {
  const sdk = await import('@aws-sdk/client-auto-scaling')
  const given = settings.clients?.autoScaling
  if (given !== undefined) return { sdk, client: given, once: given }
  const client = new sdk.AutoScalingClient(clientOptions(settings))
  return { sdk, client, once: new sdk.AutoScalingClient(clientOptions(settings, 1)) }
}

/** Names in one call, and groups on one page. */
const GROUPS_PER_PAGE = 100
const MEMBERS_PER_CALL = 50

function createReads({ connect, call }: Deps): GroupReads {
  return {
    async readGroups(names, options) {
      const { sdk, client } = await connect()
      const read = (part: string[]) =>
        call({ what: 'read Auto Scaling groups' }, options, (abortSignal) =>
          readAllPages(
            (NextToken) => {
              const input = {
                AutoScalingGroupNames: part,
                MaxRecords: GROUPS_PER_PAGE,
                ...(NextToken && { NextToken }),
              }
              return client.send(new sdk.DescribeAutoScalingGroupsCommand(input), { abortSignal })
            },
            (page) => (page.AutoScalingGroups ?? []).map(toGroup),
          ),
        )
      const groups = []
      for (const part of inParts(names, GROUPS_PER_PAGE)) groups.push(...(await read(part)))
      return groups
    },
    async readMembers(instanceIds, options) {
      const { sdk, client } = await connect()
      const members = []
      for (const InstanceIds of inParts(instanceIds, MEMBERS_PER_CALL)) {
        const page = await call({ what: 'find groups of instances' }, options, (abortSignal) =>
          client.send(new sdk.DescribeAutoScalingInstancesCommand({ InstanceIds }), {
            abortSignal,
          }),
        )
        members.push(
          ...(page.AutoScalingInstances ?? []).map((each) =>
            toMember(each, each.AutoScalingGroupName ?? ''),
          ),
        )
      }
      return members
    },
    async readHooks(group, options) {
      const { sdk, client } = await connect()
      const answer = await call({ what: `read the hooks of ${group}` }, options, (abortSignal) =>
        client.send(new sdk.DescribeLifecycleHooksCommand({ AutoScalingGroupName: group }), {
          abortSignal,
        }),
      )
      return (answer.LifecycleHooks ?? []).flatMap(toHook)
    },
    async readActivities(group, limit, options) {
      const { sdk, client } = await connect()
      const input = { AutoScalingGroupName: group, MaxRecords: limit }
      const answer = await call({ what: `read activities of ${group}` }, options, (abortSignal) =>
        client.send(new sdk.DescribeScalingActivitiesCommand(input), { abortSignal }),
      )
      return (answer.Activities ?? []).map(toActivity)
    },
    async isRefreshing(group, options) {
      const { sdk, client } = await connect()
      const input = { AutoScalingGroupName: group, MaxRecords: 10 }
      const answer = await call({ what: `read refreshes of ${group}` }, options, (abortSignal) =>
        client.send(new sdk.DescribeInstanceRefreshesCommand(input), { abortSignal }),
      )
      return (answer.InstanceRefreshes ?? []).some(({ Status }) => !ENDED.has(Status ?? ''))
    },
  }
}

/** Of a refresh; everything else, also what is new, may still replace instances. */
const ENDED = new Set(['Successful', 'Failed', 'Cancelled', 'RollbackFailed', 'RollbackSuccessful'])

function createWrites({ connect, call }: Deps): Omit<GroupWrites, 'setProtection'> {
  return {
    async setDesired(group, desired, options) {
      const { sdk, client } = await connect()
      const input = {
        AutoScalingGroupName: group,
        DesiredCapacity: desired,
        HonorCooldown: false,
      }
      const plan = { what: `set the size of ${group} to ${desired}`, isWrite: true }
      try {
        await call(plan, options, (abortSignal) =>
          client.send(new sdk.SetDesiredCapacityCommand(input), { abortSignal }),
        )
        return { kind: 'set' }
      } catch (error) {
        const problem = awsProblemOf(error)
        const text = error instanceof Error ? error.message : ''
        if (problem === 'busy') return { kind: 'busy', text }
        if (problem === 'out_of_bounds' || problem === 'pending_delete') {
          return { kind: 'refused', text }
        }
        throw error
      }
    },
    async updateGroup(group, { min, max, desired }, options) {
      const { sdk, client } = await connect()
      const input = {
        AutoScalingGroupName: group,
        ...(min === undefined ? {} : { MinSize: min }),
        ...(max === undefined ? {} : { MaxSize: max }),
        ...(desired === undefined ? {} : { DesiredCapacity: desired }),
      }
      await call({ what: `change the sizes of ${group}`, isWrite: true }, options, (abortSignal) =>
        client.send(new sdk.UpdateAutoScalingGroupCommand(input), { abortSignal }),
      )
    },
    async terminateInGroup(instanceId, decrement, options) {
      const { sdk, once } = await connect()
      const input = { InstanceId: instanceId, ShouldDecrementDesiredCapacity: decrement }
      const plan = { what: `terminate ${instanceId}`, isWrite: true }
      try {
        const answer = await call(plan, options, (abortSignal) =>
          once.send(new sdk.TerminateInstanceInAutoScalingGroupCommand(input), { abortSignal }),
        )
        return { kind: 'terminating', activity: answer.Activity?.ActivityId ?? null }
      } catch (error) {
        const problem = awsProblemOf(error)
        const text = error instanceof Error ? error.message : ''
        if (problem === 'not_found') return { kind: 'gone' }
        if (problem === 'at_minimum') return { kind: 'at_minimum', text }
        if (problem === 'busy') return { kind: 'busy', text }
        throw error
      }
    },
  }
}

const PROTECTED_PER_CALL = 50

function createProtection({ connect, call }: Deps): Pick<GroupWrites, 'setProtection'> {
  return {
    async setProtection(group, instanceIds, isProtected, options) {
      const { sdk, client } = await connect()
      const set = async (InstanceIds: string[]): Promise<string[]> => {
        const input = {
          AutoScalingGroupName: group,
          InstanceIds,
          ProtectedFromScaleIn: isProtected,
        }
        try {
          await call({ what: `protect instances of ${group}`, isWrite: true }, options, (signal) =>
            client.send(new sdk.SetInstanceProtectionCommand(input), { abortSignal: signal }),
          )
          return []
        } catch (error) {
          const problem = awsProblemOf(error)
          if (problem !== 'wrong_state' && problem !== 'not_found') throw error
          if (InstanceIds.length === 1) return InstanceIds
          // One instance that is about to go makes AWS refuse all of them: halves find it.
          const [left = [], right = []] = inParts(InstanceIds, Math.ceil(InstanceIds.length / 2))
          return [...(await set(left)), ...(await set(right))]
        }
      }
      const refused = []
      for (const part of inParts(instanceIds, PROTECTED_PER_CALL))
        refused.push(...(await set(part)))
      return refused
    },
  }
}

function createHookWrites({ connect, call }: Deps): HookWrites {
  const orNoAction = async (done: Promise<unknown>): Promise<ActionOutcome> => {
    try {
      await done
      return 'done'
    } catch (error) {
      const problem = awsProblemOf(error)
      if (problem === 'no_action' || problem === 'not_found') return 'no_action'
      throw error
    }
  }
  return {
    async heartbeat({ group, hook, instanceId, token }, options) {
      const { sdk, once } = await connect()
      const input = {
        AutoScalingGroupName: group,
        LifecycleHookName: hook,
        InstanceId: instanceId,
        ...(token === undefined ? {} : { LifecycleActionToken: token }),
      }
      const plan = { what: `beat for ${instanceId}`, isWrite: true, deadlineMs: BEAT_MS }
      return orNoAction(
        call(plan, options, (abortSignal) =>
          once.send(new sdk.RecordLifecycleActionHeartbeatCommand(input), { abortSignal }),
        ),
      )
    },
    async completeAction({ group, hook, instanceId, token }, result, options) {
      const { sdk, client } = await connect()
      const input = {
        AutoScalingGroupName: group,
        LifecycleHookName: hook,
        InstanceId: instanceId,
        LifecycleActionResult: result,
        ...(token === undefined ? {} : { LifecycleActionToken: token }),
      }
      return orNoAction(
        call({ what: `complete the hook of ${instanceId}`, isWrite: true }, options, (signal) =>
          client.send(new sdk.CompleteLifecycleActionCommand(input), { abortSignal: signal }),
        ),
      )
    },
  }
}
