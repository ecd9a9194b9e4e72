/** The containers of a job: the first runs the steps, the others are services beside it. */
import { CONTAINERS_MAX, containerName, toVariableName, toWords } from '../../model/index.ts'
import type { ContainerSpec, RegistryAuth } from '../../model/index.ts'
import { readEnvironment } from './environment.ts'
import { shown } from './report.ts'
import { describe } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'
import { readMap } from './table.ts'
import { readFilledText, readText } from './values.ts'
import { isNothing } from './yaml-tree.ts'

/** Registry, path, tag and digest together; the longest of their own limits is 255. */
export const IMAGE_CHARS_MAX = 512

const readImage: Reader<string> = (slot, scope) => {
  const image = readFilledText(slot, scope)
  if (image === undefined) return undefined
  if (/^[\w.:/@+-]+$/.test(image) && image.length <= IMAGE_CHARS_MAX) return image
  const what = `not the name of an image: \`${shown(image)}\``
  scope.report.problem({ ...placeOf(slot), what, hint: 'write one such as `cimg/node:22.1`' })
  return undefined
}

const readName: Reader<string> = (slot, scope) => {
  const name = readFilledText(slot, scope)
  if (name === undefined || containerName.safeParse(name).success) return name
  const what = `not a name that a host can have: \`${shown(name)}\``
  scope.report.problem({ ...placeOf(slot), what, hint: 'letters, digits, `-` and `.`' })
  return undefined
}

/** A list of words, or a text that is split as a shell splits it. An empty one says: none at all. */
const readWords: Reader<string[]> = (slot, scope) => {
  const { node, path } = slot
  if (node.kind === 'list') {
    const words: string[] = []
    for (const [index, item] of node.items.entries()) {
      if (scope.report.full) break
      const word = readText({ ...item, path: `${path}[${index}]` }, scope)
      if (word !== undefined) words.push(word)
    }
    return words
  }
  if (isNothing(node)) return []
  const text = readText(slot, scope)
  if (text === undefined) return undefined
  if (text.trim() === '') return []
  const split = toWords(text)
  if ('words' in split) return split.words
  scope.report.problem({ ...placeOf(slot), what: `the text ${split.fault}: ${describe(node)}` })
  return undefined
}

const readPassword: Reader<string> = (slot, scope) => {
  const password = readFilledText(slot, scope)
  if (password === undefined || toVariableName(password) !== null) return password
  const what = 'the password itself stands in the file'
  const hint = 'write `$NAME`, and give the build a variable of that name'
  scope.report.warning({ ...placeOf(slot), what, hint })
  return password
}

export const AUTH_KEYS = {
  username: { read: readFilledText, required: '`auth` needs a `username`' },
  password: { read: readPassword, required: '`auth` needs a `password`' },
} as const

const readAuth: Reader<RegistryAuth> = (slot, scope) => {
  const { username, password } = readMap(slot, AUTH_KEYS, scope) ?? {}
  return username === undefined || password === undefined ? undefined : { username, password }
}

export const DOCKER_KEYS = {
  image: { read: readImage, required: 'a container needs an `image`' },
  name: { read: readName },
  entrypoint: { read: readWords },
  command: { read: readWords },
  user: { read: readFilledText },
  environment: { read: readEnvironment },
  auth: { read: readAuth },
  aws_auth: { notYet: 'log in with `auth`: user `AWS`, password of `aws ecr get-login-password`' },
  ports: { notYet: 'remove it, every port answers on `localhost` already' },
} as const

/** The list under `docker`. A container that cannot be used is left out. */
export const readDocker: Reader<ContainerSpec[]> = (slot, scope) => {
  const { node, path } = slot
  if (node.kind !== 'list') {
    const what = `not a list of containers but ${describe(node)}`
    scope.report.problem({ ...placeOf(slot), what, hint: 'write `- image: NAME`' })
    return undefined
  }
  const { length } = node.items
  if (length === 0 || length > CONTAINERS_MAX) {
    const what =
      length === 0
        ? 'a job needs at least one container'
        : `${length} containers: a job has at most ${CONTAINERS_MAX}`
    scope.report.problem({ ...placeOf(slot), what })
    return undefined
  }
  const containers: ContainerSpec[] = []
  const names = new Set<string>()
  for (const [index, item] of node.items.entries()) {
    if (scope.report.full) break
    const place = { ...item, path: `${path}[${index}]` }
    const container = readContainer(place, scope)
    if (!container) continue
    containers.push(container)
    const { name } = container
    if (name !== undefined && names.has(name)) {
      const what = `two containers have the name \`${shown(name)}\``
      scope.report.problem({ ...placeOf(place), what })
    }
    if (name !== undefined) names.add(name)
  }
  return containers
}

function readContainer(slot: Slot, scope: Scope): ContainerSpec | undefined {
  const values = readMap(slot, DOCKER_KEYS, scope)
  if (values?.image === undefined) return undefined
  const { image, environment, ...optional } = values
  return { image, ...optional, environment: environment ?? {} }
}

function placeOf({ at, path }: Slot): { at: number; path: string } {
  return { at, path }
}
