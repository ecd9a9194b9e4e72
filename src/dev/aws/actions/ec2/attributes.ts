/** Tags, attributes and the console. */
import { z } from 'zod'
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
