/** Launching by a call that answers with the ids, and what a region allows. */
import { z } from 'zod'
import { atTime } from '../../core/activities.ts'
import { launch, zonesByNeed } from '../../core/launch.ts'
import { setDesired } from '../../core/settle.ts'
import type { Group, LaunchFailure, Member, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions, Output } from '../action.ts'
import { findGroupToChange } from '../find.ts'
import { groupName, integer, list, text } from '../parameters.ts'
import { Refusal, invalid } from '../refusal.ts'

const LAUNCH_MAX = 100
const GROUPS_MAX = 500
const CONFIGURATIONS_MAX = 200

const launchFields = z.strictObject({
  AutoScalingGroupName: groupName,
  RequestedCapacity: integer(1, LAUNCH_MAX),
  ClientToken: text(1, 64).optional(),
  AvailabilityZones: list(text(), 1).optional(),
  SubnetIds: list(text(), 1).optional(),
  RetryStrategy: z.enum(['none', 'retry-with-group-configuration']).default('none'),
})
type LaunchRequest = z.infer<typeof launchFields>

export const LAUNCH_ACTIONS: Actions = {
  LaunchInstances: define(launchFields, (world, input) => {
    const group = findGroupToChange(world, input.AutoScalingGroupName)
    const token = input.ClientToken
    const known = token === undefined ? undefined : group.launchRequests.get(token)
    if (known !== undefined) return repeat(known, input)
    if (group.desired + input.RequestedCapacity > group.max) {
      throw invalid(
        `The requested capacity ${input.RequestedCapacity} would put AutoScalingGroup ${group.name} above its max size ${group.max}.`,
      )
    }
    if (group.suspended.has('Launch')) {
      throw invalid(`The Launch process of AutoScalingGroup ${group.name} is suspended.`)
    }
    const output = launchNow(world, group, input)
    if (token !== undefined) remember(group, token, { input, output })
    return output
  }),

  DescribeAccountLimits: define(z.strictObject({}), (world) => ({
    MaxNumberOfAutoScalingGroups: GROUPS_MAX,
    MaxNumberOfLaunchConfigurations: CONFIGURATIONS_MAX,
    NumberOfAutoScalingGroups: world.groups.size,
    NumberOfLaunchConfigurations: 0,
  })),

  DescribeTerminationPolicyTypes: define(z.strictObject({}), () => ({
    TerminationPolicyTypes: [
      'AllocationStrategy',
      'ClosestToNextInstanceHour',
      'Default',
      'NewestInstance',
      'OldestInstance',
      'OldestLaunchConfiguration',
      'OldestLaunchTemplate',
    ],
  })),
}

/** More than a controller asks for while an answer can still be lost. */
const REMEMBERED_MAX = 1000

function remember(group: Group, token: string, request: { input: unknown; output: Output }): void {
  group.launchRequests.set(token, request)
  const [oldest] = group.launchRequests.keys()
  if (group.launchRequests.size > REMEMBERED_MAX && oldest !== undefined) {
    group.launchRequests.delete(oldest)
  }
}

/** The same token gives the same answer, and refuses other parameters. */
function repeat(known: { input: unknown; output: Output }, input: LaunchRequest): Output {
  if (JSON.stringify(known.input) === JSON.stringify(input)) return known.output
  const message = 'The client token has been used with other parameters.'
  throw new Refusal('IdempotentParameterMismatch', message)
}

function launchNow(world: World, group: Group, input: LaunchRequest): Output {
  const launched: Member[] = []
  let failure: (LaunchFailure & { zone: string }) | null = null
  for (let count = 0; count < input.RequestedCapacity && failure === null; count++) {
    const zone = zoneOf(group, input)
    const why = `${atTime(world)} an instance was launched in response to a LaunchInstances request.`
    const outcome = launch(world, group, { zone, why })
    if ('machine' in outcome) launched.push(outcome)
    else failure = { ...outcome, zone }
  }
  const missing = input.RequestedCapacity - launched.length
  const retries = input.RetryStrategy === 'retry-with-group-configuration' ? missing : 0
  setDesired(world, group, group.desired + launched.length + retries)
  return {
    AutoScalingGroupName: group.name,
    ClientToken: input.ClientToken,
    Instances: toCollections(launched),
    Errors: failure === null ? [] : [toError(group, failure)],
  }
}

function zoneOf(group: Group, input: LaunchRequest): string {
  const [zone] = input.AvailabilityZones ?? []
  const [subnet] = input.SubnetIds ?? []
  const ofSubnet = subnet === undefined ? undefined : group.zones[group.subnets.indexOf(subnet)]
  return zone ?? ofSubnet ?? zonesByNeed(group)[0] ?? ''
}

function toCollections(members: readonly Member[]) {
  const byZone = new Map<string, Member[]>()
  for (const member of members) {
    const { zone } = member.machine
    byZone.set(zone, [...(byZone.get(zone) ?? []), member])
  }
  return [...byZone].map(([zone, those]) => ({
    InstanceType: those[0]?.machine.instanceType,
    MarketType: those[0]?.machine.isSpot === true ? 'spot' : 'on-demand',
    SubnetId: those[0]?.machine.subnet,
    AvailabilityZone: zone,
    InstanceIds: those.map(({ machine }) => machine.id),
  }))
}

function toError(group: Group, failure: LaunchFailure & { zone: string }) {
  return {
    InstanceType: group.instanceType,
    MarketType: group.spot ? 'spot' : 'on-demand',
    AvailabilityZone: failure.zone,
    ErrorCode: failure.code,
    ErrorMessage: failure.message,
  }
}
