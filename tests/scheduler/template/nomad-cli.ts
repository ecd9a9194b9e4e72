/** The `nomad` command line, where there is one. It needs no agent to render a job file. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type {
  JobTemplate,
  TemplateValue,
  TemplateValues,
} from '../../../src/scheduler/template/index.ts'

/** From this version on it knows every row of our table. */
const VERSION_MIN = [2, 0, 3] as const

/** Null when there is no `nomad`, or one that is too old to compare with. */
export function findNomad(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const candidates = [process.env['NOMAD_BIN'], ...folders.map((folder) => join(folder, 'nomad'))]
  const found = candidates.find((path) => path !== undefined && path !== '' && isExecutable(path))
  if (found === undefined) return null
  const version = /v(\d+)\.(\d+)\.(\d+)/.exec(
    execFileSync(found, ['version'], { encoding: 'utf8' }),
  )
  const numbers = version?.slice(1).map(Number) ?? []
  const differs = VERSION_MIN.findIndex((part, at) => part !== numbers[at])
  return differs < 0 || (numbers[differs] ?? 0) > (VERSION_MIN[differs] ?? 0) ? found : null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What `nomad job run -output` prints. */
export function runOutput(
  nomad: string,
  file: string,
  template: Pick<JobTemplate, 'variables'>,
  values: TemplateValues,
): string {
  const flags = Object.entries(values).flatMap(([name, value]) => {
    const type = template.variables.find((variable) => variable.name === name)?.type
    return [
      '-var',
      `${name}=${type === 'string' && typeof value === 'string' ? value : toHcl(value)}`,
    ]
  })
  return execFileSync(nomad, ['job', 'run', '-output', ...flags, file], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function toHcl(value: TemplateValue): string {
  return JSON.stringify(value).replaceAll(/([$%])\{/g, '$1$1{')
}

/**
 * Where our job and Nomad's differ. What is null, empty, false or zero may be missing in ours; what
 * stands in ours must stand in Nomad's.
 */
export function differences(ours: unknown, theirs: unknown, path = 'Job'): string[] {
  if (ours === undefined || ours === null) {
    return isEmpty(theirs) ? [] : [`${path}: missing, Nomad has ${JSON.stringify(theirs)}`]
  }
  if (theirs === undefined || theirs === null) {
    const fine = typeof ours === 'object' && isEmpty(ours)
    return fine ? [] : [`${path}: ${JSON.stringify(ours)}, Nomad has none`]
  }
  if (typeof ours !== 'object' || typeof theirs !== 'object') {
    if (ours === theirs) return []
    return [`${path}: ${JSON.stringify(ours)}, Nomad has ${JSON.stringify(theirs)}`]
  }
  const [one, other] = [new Map(Object.entries(ours)), new Map(Object.entries(theirs))]
  const keys = [...new Set([...one.keys(), ...other.keys()])]
  return keys.flatMap((key) => differences(one.get(key), other.get(key), `${path}.${key}`))
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isEmpty)
  return value === undefined || value === null || value === '' || value === false || value === 0
}
