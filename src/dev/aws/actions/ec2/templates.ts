/** Launch templates: names, and numbers of versions. */
import { z } from 'zod'
import { createEc2Id, toImageId } from '../../core/identifiers.ts'
import { versionNumber } from '../../core/machines.ts'
import type { Template, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { byKey, page } from '../paging.ts'
import { flag, integer, list, text } from '../parameters.ts'
import { Refusal } from '../refusal.ts'

export const TEMPLATE_ACTIONS: Actions = {
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

  DescribeLaunchTemplates: define(
    z.strictObject({
      LaunchTemplateIds: list(text()).default([]),
      LaunchTemplateNames: list(text()).default([]),
      MaxResults: integer(1, 200).default(200),
      NextToken: text().optional(),
      DryRun: flag.optional(),
    }),
    (world, { LaunchTemplateIds, LaunchTemplateNames, MaxResults, NextToken }) => {
      const named = [
        ...LaunchTemplateIds.map((id) => findTemplate(world, { LaunchTemplateId: id })),
        ...LaunchTemplateNames.map((name) => findTemplate(world, { LaunchTemplateName: name })),
      ]
      const found = new Set(named.length > 0 ? named : world.templates.values())
      const { items, next } = page(
        byKey(found, ({ id }) => id),
        ({ id }) => id,
        { size: MaxResults, token: NextToken, fault: 'InvalidNextToken' },
      )
      return {
        LaunchTemplates: items.map((template) => toTemplateView(world, template)),
        NextToken: next,
      }
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
