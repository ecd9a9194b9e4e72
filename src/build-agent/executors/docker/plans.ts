/** What each container of a job is made of. Pure. */
import {
  CaravanError,
  type ContainerSpec,
  type RegistryAuth,
  type Task,
  toVariableName,
} from '../../../model/index.ts'
import type { ContainerLimits, ContainerPlan, ImageFacts } from '../../../platform/index.ts'
import { KEEPER } from './scripts.ts'

export interface JobParts {
  /** Unlike that of any other slice. */
  name: string
  labels: Readonly<Record<string, string>>
  limits: ContainerLimits
  proxies: readonly string[]
  hasInit: boolean
}

/** An image with this label wants its own main process as a primary, too. */
const PRESERVE_LABEL = 'com.circleci.preserve-entrypoint'

/** Owns the network of the job; waits for steps, unless a main process of its own was asked for. */
export function toPrimaryPlan(
  spec: ContainerSpec,
  image: Pick<ImageFacts, 'labels'>,
  job: JobParts & { network: string; binds: readonly string[]; names: readonly string[] },
): ContainerPlan {
  const isOwn =
    spec.entrypoint !== undefined ||
    spec.command !== undefined ||
    image.labels[PRESERVE_LABEL] === 'true'
  const keeper = { entrypoint: ['/bin/sh', '-c', KEEPER], command: [] }
  return {
    ...toPlan(spec, `${job.name}-primary`, job),
    ...(isOwn ? {} : keeper),
    network: job.network,
    binds: job.binds,
    // Services share its network and with it its names: an address of their own they have not.
    hosts: job.names.map((name) => `${name}:127.0.0.1`),
    keepsLogs: true,
  }
}

/** Lives in the network of the primary, so that its ports answer on localhost. */
export function toServicePlan(
  spec: ContainerSpec,
  index: number,
  job: JobParts & { primary: string },
): ContainerPlan {
  return {
    ...toPlan(spec, `${job.name}-service-${index}`, job),
    network: `container:${job.primary}`,
    binds: [],
    hosts: [],
    keepsLogs: false,
  }
}

function toPlan(
  spec: ContainerSpec,
  name: string,
  job: JobParts,
): Omit<ContainerPlan, 'network' | 'binds' | 'hosts' | 'keepsLogs'> {
  const { image, entrypoint, command, user } = spec
  return {
    name,
    image,
    environment: [...job.proxies, ...toPairs(spec.environment)],
    labels: job.labels,
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(command === undefined ? {} : { command }),
    ...(user === undefined ? {} : { user }),
    hasInit: job.hasInit,
    limits: job.limits,
  }
}

export function toPairs(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).map(([name, value]) => `${name}=${value}`)
}

/** `NAME=value` texts; one without `=` sets nothing. */
export function fromPairs(pairs: readonly string[]): Record<string, string> {
  const split = pairs.flatMap((pair) => {
    const at = pair.indexOf('=')
    return at <= 0 ? [] : [[pair.slice(0, at), pair.slice(at + 1)] as const]
  })
  return Object.fromEntries(split)
}

/** What must never go through a proxy: the job itself, and the address that tells machines who they are. */
const DIRECT = ['localhost', '127.0.0.1', '169.254.169.254']

/**
 * Variables that programs find their proxy by, in both spellings: what the server's settings say, and what is
 * set on the node for what they do not. Empty without any proxy.
 *
 * @param names of the job's own containers.
 */
export function toProxyVariables(
  { http: ofHttp, https: ofHttps, direct: without }: NonNullable<Task['proxy']>,
  inherited: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): string[] {
  const http = ofHttp ?? inherited['DOCKER_HTTP_PROXY'] ?? ''
  const https = ofHttps ?? inherited['DOCKER_HTTPS_PROXY'] ?? ''
  if (http === '' && https === '') return []
  const given = without ?? (inherited['NO_PROXY'] ?? '').split(',').map((host) => host.trim())
  const direct = [...new Set([...given, ...DIRECT, ...names])].filter((host) => host !== '')
  const values = { http_proxy: http, https_proxy: https, no_proxy: direct.join(',') }
  return Object.entries(values)
    .filter(([, value]) => value !== '')
    .flatMap(([name, value]) => [`${name.toUpperCase()}=${value}`, `${name}=${value}`])
}

/**
 * A login with its references looked up.
 *
 * @throws CaravanError INPUT_INVALID when a variable is not set.
 */
export function resolveAuth(
  { image, auth }: Pick<ContainerSpec, 'image' | 'auth'>,
  layers: Task['environment'],
): RegistryAuth | undefined {
  if (auth === undefined) return undefined
  const variables: Record<string, string> = Object.assign({}, ...layers.map(({ values }) => values))
  const resolve = (text: string): string => {
    const name = toVariableName(text)
    if (name === null) return text
    const value = variables[name]
    if (value !== undefined && value !== '') return value
    const message = `the variable ${name}, which the auth of ${image} names, is not set`
    throw new CaravanError('INPUT_INVALID', message)
  }
  return { username: resolve(auth.username), password: resolve(auth.password) }
}

/** Ports that several services announce: they share one network, so at most one of each can have it. */
export function findSharedPorts(
  services: readonly { name: string; ports: readonly string[] }[],
): string[] {
  const owners = new Map<string, string[]>()
  for (const { name, ports } of services) {
    for (const port of ports) owners.set(port, [...(owners.get(port) ?? []), name])
  }
  return [...owners]
    .filter(([, names]) => names.length > 1)
    .map(([port, names]) => `port ${port} is announced by ${names.join(' and ')}`)
}
