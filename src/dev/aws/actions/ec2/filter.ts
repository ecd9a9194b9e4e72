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

/**
 * All filters must fit, each with any of its values.
 *
 * @returns whether a machine fits; throws a Refusal for a filter that is unknown.
 */
export function toFilter(world: World, filters: Filters): (machine: Machine) => boolean {
  const tests = filters.map(({ Name, Values }) => {
    // Hundreds of ids at a time: only patterns are looked at one by one.
    const exact = new Set(Values)
    const patterns = Values.filter((value) => /[*?]/.test(value))
    const fits = (value: string) =>
      exact.has(value) || patterns.some((pattern) => matches(pattern, value))
    return (machine: Machine) => readField(world, machine, Name).some(fits)
  })
  return (machine) => tests.every((fits) => fits(machine))
}

function readField(world: World, machine: Machine, name: string): readonly string[] {
  const read = FIELDS[name]
  if (read !== undefined) return read(machine)
  const tags = () => toTags(world, machine)
  if (name === 'tag-key') return tags().map(({ Key }) => Key)
  if (name === 'tag-value') return tags().map(({ Value }) => Value)
  if (name.startsWith('tag:')) {
    return tags().flatMap(({ Key, Value }) => (Key === name.slice('tag:'.length) ? [Value] : []))
  }
  throw new Refusal('InvalidParameterValue', `The filter '${name}' is invalid`)
}
