/** The actions of Auto Scaling that there are. */
import type { Actions } from '../action.ts'
import { CAPACITY_ACTIONS } from './capacity.ts'
import { DESCRIBE_ACTIONS } from './describe.ts'
import { GROUP_ACTIONS } from './groups.ts'
import { HOOK_ACTIONS } from './hooks.ts'
import { INSTANCE_ACTIONS } from './instances.ts'
import { LAUNCH_ACTIONS } from './launch-instances.ts'
import { PROCESS_ACTIONS } from './processes.ts'
import { REFRESH_ACTIONS } from './refresh.ts'
import { SCHEDULED_ACTIONS } from './scheduled.ts'
import { TAG_ACTIONS } from './tags.ts'
import { WARM_POOL_ACTIONS } from './warm-pool.ts'

export const AUTO_SCALING_ACTIONS: Actions = {
  ...GROUP_ACTIONS,
  ...DESCRIBE_ACTIONS,
  ...CAPACITY_ACTIONS,
  ...HOOK_ACTIONS,
  ...INSTANCE_ACTIONS,
  ...PROCESS_ACTIONS,
  ...TAG_ACTIONS,
  ...LAUNCH_ACTIONS,
  ...SCHEDULED_ACTIONS,
  ...WARM_POOL_ACTIONS,
  ...REFRESH_ACTIONS,
}
