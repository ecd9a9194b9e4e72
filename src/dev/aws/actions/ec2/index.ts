/** The actions of EC2 that there are. */
import type { Actions } from '../action.ts'
import { ATTRIBUTE_ACTIONS } from './attributes.ts'
import { INSTANCE_ACTIONS } from './instances.ts'
import { TEMPLATE_ACTIONS } from './templates.ts'

export const EC2_ACTIONS: Actions = {
  ...INSTANCE_ACTIONS,
  ...ATTRIBUTE_ACTIONS,
  ...TEMPLATE_ACTIONS,
}
