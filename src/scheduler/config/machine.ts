/** The `machine` executor and the resource class: where the steps of a job run. */
import { listed, shown } from './report.ts'
import { describe } from './scope.ts'
import type { Reader } from './scope.ts'
import { readMap } from './table.ts'
import { readBoolean, readFilledText } from './values.ts'

/**
 * The steps run on the Nomad client itself, whatever it has installed, so an image cannot be had: it is
 * warned about. A Windows image is refused, because its steps could not run at all.
 */
const readImage: Reader<string> = (slot, scope) => {
  const image = readFilledText(slot, scope)
  if (image === undefined) return undefined
  const { at, path } = slot
  if (image.startsWith('windows-')) {
    const what = `not supported yet: the Windows image \`${shown(image)}\``
    scope.report.problem({ at, path, what, hint: 'there are no Windows clients' })
    return undefined
  }
  const what = `the image \`${shown(image)}\` is not used`
  scope.report.warning({ at, path, what, hint: 'the steps run on the Nomad client itself' })
  return image
}

const readEnabled: Reader<true> = (slot, scope) => {
  const enabled = readBoolean(slot, scope)
  if (enabled !== false) return enabled
  const what = 'a machine that is not enabled runs nothing'
  scope.report.problem({ at: slot.at, path: slot.path, what, hint: 'write `machine: true`' })
  return undefined
}

/** Nothing else is possible on a machine that stays: what is asked for is there, for all jobs of the client. */
const readLayerCaching: Reader<boolean> = (slot, scope) => {
  const asked = readBoolean(slot, scope)
  if (asked !== true) return asked
  const what = 'the layers are those of the Nomad client'
  scope.report.warning({ at: slot.at, path: slot.path, what, hint: 'its Docker keeps them' })
  return asked
}

const MOVE_UP = 'write it one level up, as a key of the job'

export const MACHINE_KEYS = {
  image: { read: readImage },
  enabled: { read: readEnabled },
  docker_layer_caching: { read: readLayerCaching },
  resource_class: { notYet: MOVE_UP },
  shell: { notYet: MOVE_UP },
} as const

/** `machine: true`, or a map. */
export const readMachine: Reader<true> = (slot, scope) => {
  if (slot.node.kind === 'scalar') return readEnabled(slot, scope)
  return readMap(slot, MACHINE_KEYS, scope) && true
}

export const readResourceClass: Reader<string> = (slot, scope) => {
  const name = readFilledText(slot, scope)
  if (name === undefined || scope.classes.has(name)) return name
  scope.report.problem({
    at: slot.at,
    path: slot.path,
    what: `unknown resource class ${describe(slot.node)}`,
    hint: `known are ${listed(scope.classes.keys())}; others need a \`class\` in the settings of the server`,
  })
  return undefined
}
