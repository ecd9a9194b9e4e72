/** Which instance of EC2 a node is. Pure. */
import type { NomadNode } from '../nomad/index.ts'

/** Where Nomad's client tells on which instance it runs; in whole nodes only, not in lists. */
const ATTRIBUTE = 'unique.platform.aws.instance-id'

/** Old ones have eight digits. Anything else that begins so is a name that somebody chose. */
const INSTANCE_ID = /^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/

/** By its attribute, else by its name; null when neither tells. */
export function instanceOf({
  Name,
  Attributes,
}: Pick<NomadNode, 'Name' | 'Attributes'>): string | null {
  const told = Attributes?.[ATTRIBUTE]
  if (told !== undefined && told !== '') return told
  return INSTANCE_ID.test(Name) ? Name : null
}
