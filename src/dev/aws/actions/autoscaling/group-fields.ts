/** What a group is made of, in the calls that create and update one. */
import { z } from 'zod'
import { createEc2Id } from '../../core/identifiers.ts'
import type { Group, TemplateReference, World } from '../../core/world.ts'
import { flag, groupName, integer, list, text } from '../parameters.ts'
import { invalid } from '../refusal.ts'

const templateFields = z.strictObject({
  LaunchTemplateId: text().optional(),
  LaunchTemplateName: text(1, 128).optional(),
  Version: text(1, 255).optional(),
})

/** The parts of it that matter here; the rest is only told again. */
const mixedPolicy = z.looseObject({
  LaunchTemplate: z
    .looseObject({
      LaunchTemplateSpecification: templateFields.optional(),
      Overrides: list(z.looseObject({ InstanceType: text().optional() })).optional(),
    })
    .optional(),
  InstancesDistribution: z
    .looseObject({
      OnDemandBaseCapacity: integer(0).optional(),
      OnDemandPercentageAboveBaseCapacity: integer(0, 100).optional(),
    })
    .optional(),
})

const LIFETIME_MIN_SECONDS = 86_400
const SIZE_MAX = 10_000

/** Present in both calls; what is absent stays, or takes its default. */
export const groupFields = z.strictObject({
  AutoScalingGroupName: groupName,
  LaunchConfigurationName: text().optional(),
  LaunchTemplate: templateFields.optional(),
  MixedInstancesPolicy: mixedPolicy.optional(),
  MinSize: integer(0, SIZE_MAX).optional(),
  MaxSize: integer(0, SIZE_MAX).optional(),
  DesiredCapacity: integer(0, SIZE_MAX).optional(),
  DefaultCooldown: integer(0).optional(),
  AvailabilityZones: list(text()).optional(),
  VPCZoneIdentifier: z.string().max(5000).optional(),
  HealthCheckType: text().optional(),
  HealthCheckGracePeriod: integer(0).optional(),
  PlacementGroup: text().optional(),
  TerminationPolicies: list(text()).optional(),
  NewInstancesProtectedFromScaleIn: flag.optional(),
  CapacityRebalance: flag.optional(),
  ServiceLinkedRoleARN: text().optional(),
  MaxInstanceLifetime: z
    .union([integer(0, 0), integer(LIFETIME_MIN_SECONDS, 31_536_000)])
    .optional(),
  Context: text().optional(),
  DesiredCapacityType: text().optional(),
  DefaultInstanceWarmup: integer(-1).optional(),
  InstanceMaintenancePolicy: z
    .strictObject({
      MinHealthyPercentage: integer(-1, 100).optional(),
      MaxHealthyPercentage: integer(-1, 200).optional(),
    })
    .optional(),
  InstanceLifecyclePolicy: z
    .strictObject({
      RetentionTriggers: z
        .strictObject({ TerminateHookAbandon: z.enum(['retain', 'terminate']).optional() })
        .optional(),
    })
    .optional(),
})
export type GroupFields = z.infer<typeof groupFields>

/** Told again as they were given: nothing here acts on them. */
const MIRRORED = [
  'LaunchConfigurationName',
  'MixedInstancesPolicy',
  'HealthCheckType',
  'PlacementGroup',
  'Context',
  'DesiredCapacityType',
  'DefaultInstanceWarmup',
  'InstanceMaintenancePolicy',
  'InstanceLifecyclePolicy',
] as const

/** Writes into the group what is given, sizes apart. @throws Refusal for a template that is none. */
export function applyFields(world: World, group: Group, input: GroupFields): void {
  for (const name of MIRRORED) if (input[name] !== undefined) group.mirrored[name] = input[name]
  applyTemplate(world, group, input)
  applyPlaces(world, group, input)
  group.cooldownSeconds = input.DefaultCooldown ?? group.cooldownSeconds
  group.healthGraceSeconds = input.HealthCheckGracePeriod ?? group.healthGraceSeconds
  group.terminationPolicies = input.TerminationPolicies ?? group.terminationPolicies
  group.protectsNew = input.NewInstancesProtectedFromScaleIn ?? group.protectsNew
  group.capacityRebalance = input.CapacityRebalance ?? group.capacityRebalance
  group.maxLifetimeSeconds = input.MaxInstanceLifetime ?? group.maxLifetimeSeconds
  const retention = input.InstanceLifecyclePolicy?.RetentionTriggers?.TerminateHookAbandon
  if (retention !== undefined) group.retainsAbandoned = retention === 'retain'
}

function applyTemplate(world: World, group: Group, input: GroupFields): void {
  const mixed = input.MixedInstancesPolicy
  const specification = input.LaunchTemplate ?? mixed?.LaunchTemplate?.LaunchTemplateSpecification
  if (specification !== undefined) group.template = takeTemplate(world, specification)
  if (input.LaunchTemplate !== undefined) {
    delete group.mirrored['MixedInstancesPolicy']
    group.spot = false
  }
  if (mixed === undefined) return
  group.instanceType = mixed.LaunchTemplate?.Overrides?.[0]?.InstanceType ?? group.instanceType
  const distribution = mixed.InstancesDistribution
  const onDemand = distribution?.OnDemandPercentageAboveBaseCapacity ?? 100
  group.spot = onDemand === 0 && (distribution?.OnDemandBaseCapacity ?? 0) === 0
}

/** Any name is accepted, and so is any version of it: it exists from now on. @throws Refusal */
export function takeTemplate(
  world: World,
  given: z.infer<typeof templateFields>,
): TemplateReference {
  const { LaunchTemplateId: id, LaunchTemplateName: name, Version = '$Default' } = given
  if (!/^(?:\$Latest|\$Default|[1-9]\d*)$/.test(Version)) {
    throw invalid(`Invalid launch template version: '${Version}'`)
  }
  const known = [...world.templates.values()].find((each) =>
    name === undefined ? each.id === id : each.name === name,
  )
  const template = known ?? {
    id: id ?? createEc2Id(world, 'lt'),
    name: name ?? id ?? '',
    latest: 1,
    createdAt: world.now,
  }
  if (template.name === '') {
    throw invalid('Either launchTemplateId or launchTemplateName must be given')
  }
  template.latest = Math.max(template.latest, Number(Version) || 1)
  world.templates.set(template.name, template)
  return { id: template.id, name: template.name, version: Version }
}

/** Subnets stand for zones: they are dealt out over the region's first three when no zones are named. */
function applyPlaces(world: World, group: Group, input: GroupFields): void {
  const { AvailabilityZones: zones, VPCZoneIdentifier: subnets } = input
  if (subnets !== undefined) group.subnets = subnets.split(',').filter((each) => each !== '')
  if (zones !== undefined && zones.length > 0) group.zones = zones
  else if (subnets !== undefined) {
    group.zones = group.subnets.map((_subnet, at) => `${world.settings.region}${'abc'[at % 3]}`)
  }
}
