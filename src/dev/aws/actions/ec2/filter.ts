/** EC2's filters over machines. */
import type { Machine, World } from '../../core/world.ts'
import { matches } from '../parameters.ts'
import type { Filters } from '../parameters.ts'
import { Refusal } from '../refusal.ts'
import { toTags } from './views.ts'

type Read = (machine: Machine) => readonly string[]

const FIELDS: Readonly<Record<string, Read>> = {
  'availability-zone': ({ zone }) => [zone],
  'image-id': ({ imageId }) => [imageId],
  'instance-id': ({ id }) => [id],
  'instance-lifecycle': ({ isSpot }) => (isSpot ? ['spot'] : []),
  'instance-state-name': ({ state }) => [state.value],
  'instance-type': ({ instanceType }) => [instanceType],
  'private-ip-address': ({ privateIp }) => [privateIp],
  'reservation-id': ({ reservationId }) => [reservationId],
  'subnet-id': ({ subnet }) => [subnet],
}

/** All filters must fit, each with any of its values. @throws Refusal for one that is unknown. */
export function fitsFilters(world: World, machine: Machine, filters: Filters): boolean {
  return filters.every(({ Name, Values }) => {
    const found = readField(world, machine, Name)
    return found.some((value) => Values.some((pattern) => matches(pattern, value)))
  })
}

function readField(world: World, machine: Machine, name: string): readonly string[] {
  const tags = toTags(world, machine)
  if (name === 'tag-key') return tags.map(({ Key }) => Key)
  if (name === 'tag-value') return tags.map(({ Value }) => Value)
  if (name.startsWith('tag:')) {
    return tags.filter(({ Key }) => Key === name.slice('tag:'.length)).map(({ Value }) => Value)
  }
  const read = FIELDS[name]
  if (read === undefined) {
    throw new Refusal('InvalidParameterValue', `The filter '${name}' is invalid`)
  }
  return read(machine)
}
