/** Tags, attributes, the console and launch templates. */
import { z } from 'zod'
import { createEc2Id, toImageId } from '../../core/identifiers.ts'
import { versionNumber } from '../../core/machines.ts'
import type { Template, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { byKey, page } from '../paging.ts'
import { filters, flag, instanceId, integer, list, matches, text } from '../parameters.ts'
import { Refusal } from '../refusal.ts'
import { findMachines, isVisible } from './find.ts'
import { toTags } from './views.ts'

const tag = z.strictObject({ Key: text(1, 127), Value: z.string().max(255).default('') })
const PAGE_MAX = 1000

export const ATTRIBUTE_ACTIONS: Actions = {
  CreateTags: define(
    z.strictObject({ Resources: list(text()), Tags: list(tag), DryRun: flag.optional() }),
    (world, { Resources, Tags }) => {
      for (const machine of findMachines(world, Resources)) {
        for (const { Key, Value } of Tags) machine.tags.set(Key, Value)
      }
      return {}
    },
  ),

  DeleteTags: define(
    z.strictObject({
      Resources: list(text()),
      Tags: list(tag.partial({ Value: true })).default([]),
      DryRun: flag.optional(),
    }),
    (world, { Resources, Tags }) => {
      for (const machine of findMachines(world, Resources)) {
        for (const { Key } of Tags) machine.tags.delete(Key)
      }
      return {}
    },
  ),

  DescribeTags: define(
    z.strictObject({
      Filters: filters.optional(),
      MaxResults: integer(5, PAGE_MAX).optional(),
      NextToken: text().optional(),
      DryRun: flag.optional(),
    }),
    (world, { Filters = [], MaxResults = PAGE_MAX, NextToken }) => {
      const all = [...world.machines.values()]
        .filter((machine) => isVisible(world, machine))
        .flatMap((machine) =>
          toTags(world, machine).map(({ Key, Value }) => ({
            Key,
            ResourceId: machine.id,
            ResourceType: 'instance',
            Value,
          })),
        )
      const found = all.filter((each) =>
        Filters.every(({ Name, Values }) => {
          const value = readTag(each, Name)
          return value !== null && Values.some((pattern) => matches(pattern, value))
        }),
      )
      const keyOf = (each: { ResourceId: string; Key: string }) => `${each.ResourceId}\n${each.Key}`
      const { items, next } = page(byKey(found, keyOf), keyOf, {
        size: MaxResults,
        token: NextToken,
        fault: 'InvalidNextToken',
      })
      return { Tags: items, NextToken: next }
    },
  ),

  GetConsoleOutput: define(
    z.strictObject({ InstanceId: instanceId, DryRun: flag.optional(), Latest: flag.optional() }),
    (world, { InstanceId }) => {
      const [machine] = findMachines(world, [InstanceId])
      const lines = [
        `[    0.000000] instance ${InstanceId} starting`,
        machine?.isBooted === true ? '[    1.000000] system ready' : '',
        machine?.bootsBroken === true ? '[    1.000000] boot failed: no network' : '',
      ]
      const output = lines.filter((line) => line !== '').join('\n')
      return {
        InstanceId,
        Timestamp: new Date(world.now),
        Output: Buffer.from(`${output}\n`).toString('base64'),
      }
    },
  ),

  ModifyInstanceAttribute: define(
    z.strictObject({
      InstanceId: instanceId,
      DisableApiTermination: z.strictObject({ Value: flag }).optional(),
      InstanceInitiatedShutdownBehavior: z
        .strictObject({ Value: z.enum(['stop', 'terminate']) })
        .optional(),
      DryRun: flag.optional(),
    }),
    (world, input) => {
      const [machine] = findMachines(world, [input.InstanceId])
      if (machine === undefined) return {}
      machine.isTerminationDisabled =
        input.DisableApiTermination?.Value ?? machine.isTerminationDisabled
      machine.onShutdown = input.InstanceInitiatedShutdownBehavior?.Value ?? machine.onShutdown
      return {}
    },
  ),

  /** The data of a template are not looked at: a version is told apart from the others by its number. */
  CreateLaunchTemplate: define(
    z.looseObject({ LaunchTemplateName: text(1, 128) }),
    (world, { LaunchTemplateName: name }) => {
      if (world.templates.has(name)) {
        const message = 'Launch template name already in use.'
        throw new Refusal('InvalidLaunchTemplateName.AlreadyExistsException', message)
      }
      const template = { id: createEc2Id(world, 'lt'), name, latest: 1, createdAt: world.now }
      world.templates.set(name, template)
      return { LaunchTemplate: toTemplateView(world, template) }
    },
  ),

  CreateLaunchTemplateVersion: define(
    z.looseObject({ LaunchTemplateName: text().optional(), LaunchTemplateId: text().optional() }),
    (world, input) => {
      const template = findTemplate(world, input)
      template.latest++
      return { LaunchTemplateVersion: toVersionView(world, template, template.latest) }
    },
  ),

  DescribeLaunchTemplateVersions: define(
    z.strictObject({
      LaunchTemplateName: text().optional(),
      LaunchTemplateId: text().optional(),
      Versions: list(text()).optional(),
      MinVersion: text().optional(),
      MaxVersion: text().optional(),
      MaxResults: integer(1, 200).default(200),
      NextToken: text().optional(),
      DryRun: flag.optional(),
    }),
    (world, input) => {
      const template = findTemplate(world, input)
      const numbers = input.Versions?.length
        ? input.Versions.map((version) => versionNumber(world, { name: template.name, version }))
        : Array.from({ length: template.latest }, (_none, at) => template.latest - at)
      // Newest first, and the token is what follows in that order.
      const keyOf = (number: number) => String(1e9 - number).padStart(10, '0')
      const inRange = numbers.filter(
        (number) =>
          number >= Number(input.MinVersion ?? 1) && number <= Number(input.MaxVersion ?? Infinity),
      )
      const { items, next } = page(byKey(inRange, keyOf), keyOf, {
        size: input.MaxResults,
        token: input.NextToken,
        fault: 'InvalidNextToken',
      })
      const known = items.find((number) => !(number <= template.latest))
      if (known !== undefined) {
        const message = `Could not find launch template version ${known}`
        throw new Refusal('InvalidLaunchTemplateId.VersionNotFound', message)
      }
      return {
        LaunchTemplateVersions: items.map((number) => toVersionView(world, template, number)),
        NextToken: next,
      }
    },
  ),
}

function readTag(
  each: { Key: string; ResourceId: string; ResourceType: string; Value: string },
  filter: string,
): string | null {
  if (filter === 'key') return each.Key
  if (filter === 'value') return each.Value
  if (filter === 'resource-id') return each.ResourceId
  if (filter === 'resource-type') return each.ResourceType
  if (filter.startsWith('tag:')) return filter.slice('tag:'.length) === each.Key ? each.Value : null
  throw new Refusal('InvalidParameterValue', `The filter '${filter}' is invalid`)
}

function findTemplate(
  world: World,
  given: { LaunchTemplateName?: string | undefined; LaunchTemplateId?: string | undefined },
): Template {
  const { LaunchTemplateName: name, LaunchTemplateId: id } = given
  const found = [...world.templates.values()].find((each) =>
    name === undefined ? each.id === id : each.name === name,
  )
  if (found !== undefined) return found
  const message = `The specified launch template, with template ${name ?? id ?? ''}, does not exist.`
  throw new Refusal('InvalidLaunchTemplateName.NotFoundException', message)
}

function toTemplateView(world: World, template: Template) {
  return {
    LaunchTemplateId: template.id,
    LaunchTemplateName: template.name,
    CreateTime: new Date(template.createdAt),
    CreatedBy: creatorOf(world),
    DefaultVersionNumber: 1,
    LatestVersionNumber: template.latest,
    Tags: [],
  }
}

function creatorOf(world: World): string {
  return `arn:aws:iam::${world.settings.accountId}:root`
}

function toVersionView(world: World, template: Template, number: number) {
  return {
    LaunchTemplateId: template.id,
    LaunchTemplateName: template.name,
    VersionNumber: number,
    CreateTime: new Date(template.createdAt),
    CreatedBy: creatorOf(world),
    DefaultVersion: number === 1,
    LaunchTemplateData: { ImageId: toImageId(`${template.name}:${number}`) },
  }
}
