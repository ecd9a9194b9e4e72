/** The environment of a function that scales polling runners, as those who run one have it already. */
import { z } from 'zod'
import { CaravanError, type Problem } from '../../model/index.ts'
import type { RunnerGroup } from './runners.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface PollingSettings {
  group: string
  region: string
  max: number
  apiUrl: string
  /** Told outright; null when they are in the secret. */
  resourceClass: string | null
  token: string | null
  tokenFile: string | null
  secret: { name: string; region: string } | null
}

const GROUP = 'AUTO_SCALING_GROUP_NAME'
const REGION = 'AUTO_SCALING_GROUP_REGION'
const MAX = 'AUTO_SCALING_MAX'

/** Where the queue of runners is, unless RUNNER_API_URL says otherwise. */
const API_URL = 'https://runner.circleci.com'

/** Whether this is such a function: all of the group is named. */
export function isPolling(env: Environment): boolean {
  return missingOfGroup(env).length === 0
}

/** Variables that are missing where others of the group are there: somebody forgot them, most likely. */
export function forgottenOfGroup(env: Environment): string[] {
  const missing = missingOfGroup(env)
  return missing.length < NEEDED.length ? missing : []
}

const NEEDED = [GROUP, REGION, MAX]

function missingOfGroup(env: Environment): string[] {
  return NEEDED.filter((name) => (env[name] ?? '') === '')
}

/** @throws CaravanError SETTINGS_INVALID with everything that is wrong. */
export function readPollingSettings(env: Environment): PollingSettings {
  const problems: Problem[] = []
  const value = (name: string) => env[name] || null
  const complain = (name: string, message: string) =>
    problems.push({ file: name, line: 0, message })
  const max = Number(value(MAX))
  if (!/^\d{1,5}$/.test(value(MAX) ?? '')) complain(MAX, 'expected a whole number of machines')
  const [name, region] = [value('SECRET_NAME'), value('SECRET_REGION')]
  if ((name === null) !== (region === null)) {
    complain(name === null ? 'SECRET_NAME' : 'SECRET_REGION', 'is missing')
  }
  const secret = name === null || region === null ? null : { name, region }
  const resourceClass = value('RESOURCE_CLASS')
  const [token, tokenFile] = [value('CIRCLE_TOKEN'), value('CIRCLE_TOKEN_FILE')]
  if (secret === null && resourceClass === null) {
    complain('RESOURCE_CLASS', 'is missing; or name a secret with SECRET_NAME and SECRET_REGION')
  }
  if (secret === null && token === null && tokenFile === null) {
    complain('CIRCLE_TOKEN', 'is missing; or name a file with CIRCLE_TOKEN_FILE, or a secret')
  }
  const apiUrl = value('RUNNER_API_URL') ?? API_URL
  if (!/^https?:\/\/[^\s]+$/.test(apiUrl)) complain('RUNNER_API_URL', 'expected an http(s) URL')
  if (problems.length > 0) {
    const message = 'the environment does not say what to scale'
    throw new CaravanError('SETTINGS_INVALID', message, { detail: { problems } })
  }
  return {
    group: value(GROUP) ?? '',
    region: value(REGION) ?? '',
    max,
    apiUrl,
    resourceClass,
    token,
    tokenFile,
    secret,
  }
}

const name = z.string().min(1)

/**
 * What is told outright stands over what is in the secret.
 *
 * @param texts of the secret and of the token file, where they are named.
 * @throws CaravanError SETTINGS_INVALID; never with a word of the secret in it.
 */
export function toRunnerGroup(
  { group, max, resourceClass, token }: PollingSettings,
  texts: { secret: string | null; tokenFile: string | null },
): RunnerGroup {
  const told = { resourceClass, token: token ?? texts.tokenFile?.trim() ?? null }
  const kept = texts.secret === null ? null : parseSecret(texts.secret, told)
  return {
    group,
    max,
    resourceClass: told.resourceClass ?? kept?.resourceClass ?? '',
    token: told.token || (kept?.token ?? ''),
  }
}

function parseSecret(
  text: string,
  told: { resourceClass: string | null; token: string | null },
): { resourceClass: string; token: string } {
  const shape = z.object({
    resource_class: told.resourceClass === null ? name : z.unknown().optional(),
    circle_token: told.token === null ? name : z.unknown().optional(),
  })
  try {
    const { resource_class, circle_token } = shape.parse(JSON.parse(text))
    return { resourceClass: toText(resource_class), token: toText(circle_token) }
  } catch {
    // Whatever the parser says may hold a piece of what it read.
    const message = 'the secret is no JSON object with resource_class and circle_token'
    throw new CaravanError('SETTINGS_INVALID', message)
  }
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
