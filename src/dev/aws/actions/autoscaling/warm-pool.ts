/** Warm pools. */
import { z } from 'zod'
import { settleSoon } from '../../core/settle-soon.ts'
import { isActive } from '../../core/refresh.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { findGroup, findGroupToChange } from '../find.ts'
import { byKey, page } from '../paging.ts'
import { flag, groupName, integer, text } from '../parameters.ts'
import { Refusal, invalid } from '../refusal.ts'
import { listMembers, toInstanceView } from './views.ts'
import { toWarmPoolView } from './warm-pool-view.ts'

const PAGE_MAX = 50

export const WARM_POOL_ACTIONS: Actions = {
  PutWarmPool: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      MaxGroupPreparedCapacity: integer(-1).optional(),
      MinSize: integer(0).optional(),
      PoolState: z.enum(['Stopped', 'Running', 'Hibernated']).optional(),
      InstanceReusePolicy: z.strictObject({ ReuseOnScaleIn: flag.optional() }).optional(),
    }),
    (world, input) => {
      const group = findGroupToChange(world, input.AutoScalingGroupName)
      if (group.spot || group.mirrored['MixedInstancesPolicy'] !== undefined) {
        throw invalid(
          'You cannot add a warm pool to an Auto Scaling group that has a mixed instances policy or requests Spot Instances.',
        )
      }
      if (group.refreshes.some(isActive)) {
        const message = 'The warm pool can not be changed while an instance refresh is in progress'
        throw new Refusal('InstanceRefreshInProgress', message)
      }
      const known = group.warmPool
      const prepared = input.MaxGroupPreparedCapacity
      group.warmPool = {
        state: input.PoolState ?? known?.state ?? 'Stopped',
        min: input.MinSize ?? known?.min ?? 0,
        // -1 takes the value back.
        maxPrepared: prepared === -1 ? null : (prepared ?? known?.maxPrepared ?? null),
        reusesOnScaleIn:
          input.InstanceReusePolicy?.ReuseOnScaleIn ?? known?.reusesOnScaleIn ?? false,
      }
      settleSoon(world, group)
      return {}
    },
  ),

  DescribeWarmPool: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      MaxRecords: integer(1, PAGE_MAX).default(PAGE_MAX),
      NextToken: text().optional(),
    }),
    (world, input) => {
      const group = findGroup(world, input.AutoScalingGroupName)
      const seen = listMembers(world, group, 'groupMs', 'pool')
      const keyOf = (each: (typeof seen)[number]) => each.member.machine.id
      const { items, next } = page(byKey(seen, keyOf), keyOf, {
        size: input.MaxRecords,
        token: input.NextToken,
        fault: 'InvalidNextToken',
      })
      return {
        WarmPoolConfiguration: group.warmPool === null ? undefined : toWarmPoolView(group.warmPool),
        Instances: items.map(toInstanceView),
        NextToken: next,
      }
    },
  ),

  DeleteWarmPool: define(
    z.strictObject({ AutoScalingGroupName: groupName, ForceDelete: flag.optional() }),
    (world, input) => {
      const group = findGroupToChange(world, input.AutoScalingGroupName)
      if (group.warmPool === null) {
        throw invalid(`No warm pool found for Auto Scaling group ${group.name}`)
      }
      group.warmPool = null
      settleSoon(world, group)
      return {}
    },
  ),
}
