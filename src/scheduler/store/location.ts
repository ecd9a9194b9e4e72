/** Where the store is, as `store.url` says. */
import { resolve } from 'node:path'
import { CaravanError } from '../../model/index.ts'

export type StoreLocation = SqliteLocation | PostgresLocation

export interface SqliteLocation {
  kind: 'sqlite'
  /** A path, or `:memory:`. */
  file: string
  /** `full`: a commit also survives a power cut. `normal`: only the end of any process. */
  synchronous: 'full' | 'normal'
  /** `main`: no thread of its own, so that a clock that is driven by hand waits for no other. */
  thread: 'own' | 'main'
}

export interface PostgresLocation {
  kind: 'postgres'
  /** For `pg`, with what is ours taken out. Holds the password: for no message and no log. */
  connectionString: string
  /** All tables are in it. */
  schema: string
}

const SQLITE = 'sqlite:'
const POSTGRES = /^postgres(?:ql)?:\/\//

const DEFAULT_SCHEMA = 'caravan'

/** PostgreSQL cuts longer names off. */
const SCHEMA_NAME = /^[a-z_][a-z0-9_]{0,62}$/

/**
 * @param url `sqlite:FILE[?synchronous=full][&thread=main]`, `postgres://...[?schema=NAME]`, or a path.
 * @param folder paths count from it.
 * @throws CaravanError SETTINGS_INVALID.
 */
export function parseStoreUrl(url: string, folder: string): StoreLocation {
  if (POSTGRES.test(url)) return parsePostgres(url)
  const [file, query] = splitQuery(url.startsWith(SQLITE) ? url.slice(SQLITE.length) : url)
  if (file === '') throw invalid('the name of the file is missing')
  const parameters = new URLSearchParams(query)
  const synchronous = choose(parameters, 'synchronous', ['normal', 'full'])
  const thread = choose(parameters, 'thread', ['own', 'main'])
  for (const key of parameters.keys()) throw invalid(`a SQLite store has no parameter ${key}`)
  const path = file === ':memory:' ? file : resolve(folder, file)
  return { kind: 'sqlite', file: path, synchronous, thread }
}

/** What people may see of it: no user, no password. */
export function showLocation(location: StoreLocation): string {
  if (location.kind === 'sqlite') return `${SQLITE}${location.file}`
  const [place = ''] = location.connectionString.split('?')
  return `${place.replace(/\/\/.*@/, '//')} (schema ${location.schema})`
}

/** Cut apart by hand: what people write for a socket (`postgres:///db?host=/run/...`) is not always a URL. */
function parsePostgres(url: string): PostgresLocation {
  const [place, query] = splitQuery(url)
  const parameters = new URLSearchParams(query)
  const schema = parameters.get('schema') ?? DEFAULT_SCHEMA
  parameters.delete('schema')
  if (!SCHEMA_NAME.test(schema)) {
    throw invalid(`a schema is named with a-z, 0-9 and _, not "${schema}"`)
  }
  const rest = parameters.toString()
  return { kind: 'postgres', connectionString: rest === '' ? place : `${place}?${rest}`, schema }
}

function splitQuery(url: string): [place: string, query: string] {
  const at = url.indexOf('?')
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)]
}

/** Takes the parameter out. @returns its value, or the first choice when it is absent. */
function choose<T extends string>(
  parameters: URLSearchParams,
  key: string,
  choices: readonly [T, ...T[]],
): T {
  const text = parameters.get(key) ?? choices[0]
  const choice = choices.find((each) => each === text)
  if (choice === undefined) throw invalid(`${key} is ${choices.join(' or ')}, not "${text}"`)
  parameters.delete(key)
  return choice
}

function invalid(problem: string): CaravanError {
  return new CaravanError('SETTINGS_INVALID', `store.url: ${problem}`)
}
