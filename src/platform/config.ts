/**
 * Settings: flags over environment over one HCL file over the defaults.
 *
 * Everything that is wrong is told at once, each with the line, the variable or the flag it comes from.
 */
import { z } from 'zod'
import {
  CaravanError,
  settings as schema,
  suggest,
  type Problem,
  type Settings,
} from '../model/index.ts'
import { readFile, REFUSED, type SettingsFile } from './config/file.ts'
import {
  readEnvironment,
  readFlags,
  SETTINGS_VARIABLE,
  VARIABLE_NAMES,
  type Environment,
  type Override,
  type SettingsFlags,
} from './config/sources.ts'
import { readNamedFile } from './named-file.ts'

export type { SettingsFile } from './config/file.ts'
export type { SettingsFlags } from './config/sources.ts'

export interface SettingsSources {
  flags: SettingsFlags
  env: Environment
  file?: SettingsFile
}

/**
 * Reads the settings file, when one is named by `--settings` or CARAVAN_SETTINGS, and resolves.
 *
 * Relative paths in the settings count from the folder the process was started in.
 *
 * @throws CaravanError SETTINGS_INVALID with every problem in `detail.problems`.
 */
export async function readSettings(sources: Omit<SettingsSources, 'file'>): Promise<Settings> {
  const name = sources.flags.settings ?? (sources.env[SETTINGS_VARIABLE] || undefined)
  if (name === undefined) return resolveSettings(sources)
  const text = await readNamedFile(name).catch((cause: unknown) => {
    throw new CaravanError('SETTINGS_INVALID', `The settings file ${name} can not be read.`, {
      cause,
    })
  })
  return resolveSettings({ ...sources, file: { name, text } })
}

/**
 * The settings that these sources make together. Reads nothing; without a file, loads no parser.
 *
 * @throws CaravanError SETTINGS_INVALID with every problem in `detail.problems`.
 */
export async function resolveSettings(sources: SettingsSources): Promise<Settings> {
  const { flags, env, file } = sources
  const known = Object.keys(schema.shape)
  const { values, lines, problems } = file
    ? await readFile(file, known)
    : { values: {}, lines: new Map<string, number>(), problems: [] }
  const origins = new Map<string, Pick<Problem, 'file' | 'line'>>()
  for (const [path, line] of lines) origins.set(path, { file: file?.name ?? '', line })
  applyOverrides(readEnvironment(env), values, origins)
  applyOverrides(readFlags(flags, listenOf(values)), values, origins)
  problems.push(...findMisspelt(env))
  const checked = schema.safeParse(values)
  if (!checked.success) {
    problems.push(...checked.error.issues.flatMap((issue) => toProblems(issue, values, origins)))
  }
  if (checked.success && problems.length === 0) return checked.data
  const sorted = problems.toSorted((a, b) => a.line - b.line)
  throw new CaravanError('SETTINGS_INVALID', 'The settings are not usable.', {
    detail: { problems: sorted },
  })
}

function applyOverrides(
  overrides: readonly Override[],
  values: Record<string, unknown>,
  origins: Map<string, Pick<Problem, 'file' | 'line'>>,
): void {
  for (const { path, value, source } of overrides) {
    const place = path.join('.')
    // Where lines of the file are below it, they tell nothing about the value any more.
    for (const other of origins.keys()) if (other.startsWith(`${place}.`)) origins.delete(other)
    origins.set(place, { file: source, line: 0 })
    if (path.length === 1) values[path[0]] = value
    else setInBlock(values, path[0], path[1] ?? '', value)
  }
}

/** A block that the file got wrong altogether is left as it is, and complained about. */
function setInBlock(
  values: Record<string, unknown>,
  name: string,
  key: string,
  value: unknown,
): void {
  const block = (values[name] ??= {})
  if (typeof block === 'object') Object.assign(block, { [key]: value })
}

/** The address without flags; whatever is no text is complained about elsewhere. */
function listenOf(values: Record<string, unknown>): string {
  const server = values['server']
  const listen = typeof server === 'object' && server ? Reflect.get(server, 'listen') : undefined
  return typeof listen === 'string' ? listen : schema.parse({}).server.listen
}

const PREFIX = 'CARAVAN_'

/** Variables of ours that nobody reads are left alone, unless one is nearly the name of a setting. */
function findMisspelt(env: Environment): Problem[] {
  const names = VARIABLE_NAMES.filter((name) => name.startsWith(PREFIX))
  const suffixes = names.map((name) => name.slice(PREFIX.length))
  const others = Object.keys(env).filter(
    (name) => name.startsWith(PREFIX) && !names.includes(name) && !OTHER_VARIABLES.includes(name),
  )
  return others.flatMap((name) => {
    const near = suggest(name.slice(PREFIX.length), suffixes)
    if (near === null) return []
    return [{ file: name, line: 0, message: `is unknown; did you mean ${PREFIX}${near}?` }]
  })
}

/** Read by commands that talk to a server, and by the agent: no settings, and no misspelt ones. */
const OTHER_VARIABLES: readonly string[] = [
  'CARAVAN_SERVER',
  'CARAVAN_TOKEN',
  'CARAVAN_LOG_LEVEL',
  'CARAVAN_URL',
  'CARAVAN_INSTALL',
  'CARAVAN_SLICE',
  'CARAVAN_EPOCH',
  'CARAVAN_CLAIM_TOKEN',
]

function toProblems(
  issue: z.core.$ZodIssue,
  values: unknown,
  origins: ReadonlyMap<string, Pick<Problem, 'file' | 'line'>>,
): Problem[] {
  const at = (keys: readonly PropertyKey[], message: string): Problem => {
    const path = keys.join('.')
    return { ...originOf(path, origins), path, message: `${toShownPath(keys, values)}: ${message}` }
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const near = suggest(key, keysAt(issue.path))
      const hint = near === null ? '' : `; did you mean ${near}?`
      return at([...issue.path, key], `is unknown${hint}`)
    })
  }
  const value = valueAt(values, issue.path)
  if (value === REFUSED) return []
  return [at(issue.path, value === undefined ? 'is missing' : describe(issue))]
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `expected ${TYPES[issue.expected] ?? issue.expected}`
  if (issue.code === 'invalid_format' && issue.format === 'url') return 'expected an http(s) URL'
  if (issue.code === 'too_small' && issue.origin === 'array') return 'must not be empty'
  return issue.message
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text in double quotes',
  number: 'a number',
  int: 'a whole number',
  array: 'a list such as ["a", "b"]',
  object: 'a block',
}

/** `class.2.memory` is shown by the name of the class, as it is written in the file. */
function toShownPath(keys: readonly PropertyKey[], values: unknown): string {
  const shown = keys.map((key, at) => {
    if (typeof key !== 'number') return String(key)
    const item = valueAt(values, keys.slice(0, at + 1))
    const name: unknown = typeof item === 'object' && item ? Reflect.get(item, 'name') : undefined
    return typeof name === 'string' ? name : String(key)
  })
  return shown.join('.')
}

function originOf(
  path: string,
  origins: ReadonlyMap<string, Pick<Problem, 'file' | 'line'>>,
): Pick<Problem, 'file' | 'line'> {
  for (
    let inner = path;
    inner !== '';
    inner = inner.slice(0, Math.max(0, inner.lastIndexOf('.')))
  ) {
    const origin = origins.get(inner)
    if (origin !== undefined) return origin
  }
  return { file: 'settings', line: 0 }
}

function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => {
    return typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined
  }, values)
}

/** The keys that the schema knows at a path. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let inner: unknown = schema
  for (const key of path) {
    const parent = withoutDefaults(inner)
    if (parent instanceof z.ZodObject) inner = (parent.shape as Record<PropertyKey, unknown>)[key]
    else inner = parent instanceof z.ZodArray ? parent.element : undefined
  }
  const object = withoutDefaults(inner)
  return object instanceof z.ZodObject ? Object.keys(object.shape) : []
}

function withoutDefaults(type: unknown): unknown {
  const wraps =
    type instanceof z.ZodDefault || type instanceof z.ZodPrefault || type instanceof z.ZodOptional
  return wraps ? withoutDefaults(type.unwrap()) : type
}
