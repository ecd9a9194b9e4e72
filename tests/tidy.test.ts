/**
 * The house rules that no linter knows: who may import whom, which file may name which vendor, and
 * that time, randomness and the environment come in through the platform room.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('..', import.meta.url))

/** A room may import the rooms of its row, and itself. Rows not named here do not exist. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: [],
  platform: ['model'],
  nomad: ['platform', 'model'],
  scheduler: ['nomad', 'platform', 'model'],
  'build-agent': ['platform', 'model'],
  fleet: ['nomad', 'platform', 'model'],
  metrics: ['nomad', 'platform', 'model'],
  api: ['scheduler', 'nomad', 'platform', 'model'],
  dev: ['scheduler', 'build-agent', 'fleet', 'metrics', 'nomad', 'platform', 'model'],
  cli: ['api', 'dev', 'scheduler', 'build-agent', 'fleet', 'metrics', 'nomad', 'platform', 'model'],
}

/** Each vendor's library is named in these files or folders only. */
const VENDORS: Readonly<Record<string, readonly string[]>> = {
  undici: ['src/platform/http.ts', 'src/platform/undici-pool.d.ts'],
  'hcl2-parser': ['src/platform/hcl.ts'],
  dockerode: ['src/platform/docker.ts'],
  'hot-shots': ['src/metrics/statsd.ts'],
  '@aws-sdk/client-ec2': ['src/platform/aws/'],
  '@aws-sdk/client-auto-scaling': ['src/platform/aws/'],
  '@aws-sdk/client-secrets-manager': ['src/platform/aws/'],
  pino: ['src/platform/pino.ts'],
  yaml: ['src/scheduler/config/'],
  kysely: ['src/scheduler/store/'],
  pg: ['src/scheduler/store/'],
  'node:sqlite': [
    'src/scheduler/store/',
    'src/fleet/store/',
    'src/dev/nomad-engine/',
    'src/platform/lock.ts',
  ],
  fastify: ['src/api/', 'src/dev/'],
  'fastify-type-provider-zod': ['src/api/'],
  '@fastify/swagger': ['src/api/'],
  commander: ['src/cli/'],
  'p-queue': ['src/scheduler/', 'src/build-agent/', 'src/nomad/'],
}

/** What only the platform room and the command line may touch, and what to use instead. */
const MACHINE: readonly { pattern: RegExp; instead: string }[] = [
  { pattern: /\bprocess\.env\b/, instead: 'settings, or an argument' },
  { pattern: /\bDate\.now\(/, instead: 'clock.now()' },
  { pattern: /\bnew Date\(\)/, instead: 'clock.now()' },
  { pattern: /\bperformance\.now\(/, instead: 'clock.monotonic()' },
  { pattern: /(?<![.\w])set(?:Timeout|Interval)\(/, instead: 'clock.after() or sleep()' },
  { pattern: /\bMath\.random\(/, instead: 'the random port' },
  { pattern: /\b(?:randomBytes|randomUUID|randomInt)\(/, instead: 'the random port' },
  { pattern: /\bconsole\.\w+\(/, instead: 'the log port' },
]

interface Source {
  path: string
  room: string
  text: string
  imports: { specifier: string; target: string | null; typeOnly: boolean }[]
}

const sources = listFiles(join(root, 'src')).map(readSource)

t.test('imports between rooms go one way, and through index.ts', (t) => {
  for (const source of sources) {
    for (const { specifier, target } of source.imports) {
      const room = target === null ? source.room : roomOf(target)
      if (room === source.room) continue
      const allowed = MAY_IMPORT[source.room] ?? []
      t.ok(allowed.includes(room), `${source.path} may not import ${specifier}`)
      t.equal(target, `src/${room}/index.ts`, `${source.path} enters ${room} through its index.ts`)
    }
  }
  t.end()
})

t.test('a vendor is named in its own place only', (t) => {
  for (const source of sources) {
    for (const { specifier } of source.imports) {
      const vendor = Object.keys(VENDORS).find(
        (name) => specifier === name || specifier.startsWith(`${name}/`),
      )
      if (vendor === undefined) continue
      const places = VENDORS[vendor] ?? []
      const fits = places.some((place) => source.path.startsWith(place))
      t.ok(fits, `${source.path} imports ${vendor}, which belongs in ${places.join(' or ')}`)
    }
  }
  t.end()
})

t.test('time, randomness, environment and console come from the platform', (t) => {
  for (const source of sources) {
    if (source.room === 'platform' || source.room === 'cli') continue
    const code = withoutComments(source.text)
    for (const { pattern, instead } of MACHINE) {
      t.notOk(pattern.test(code), `${source.path} matches ${pattern}: use ${instead}`)
    }
  }
  t.end()
})

t.test('no import cycle', (t) => {
  const graph = new Map(
    sources.map((source) => [
      source.path,
      source.imports.flatMap(({ target, typeOnly }) => (target && !typeOnly ? [target] : [])),
    ]),
  )
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) {
      t.fail(`cycle: ${[...trail.slice(start), path].join(' -> ')}`)
      return
    }
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  t.ok(done.size > 0)
  t.end()
})

t.test('files stay short enough to read in one sitting', (t) => {
  const everything = [...sources, ...listFiles(join(root, 'tests')).map(readSource)]
  for (const { path, text } of everything) {
    if (path.startsWith('tests/fixtures/')) continue
    t.ok(text.split('\n').length <= 301, `${path} has more than 300 lines`)
  }
  const lengths = sources.map(({ text }) => text.split('\n').length).sort((a, b) => a - b)
  const median = lengths[Math.floor(lengths.length / 2)] ?? 0
  t.ok(median <= 180, `the median file has ${median} lines`)
  t.end()
})

t.test('every source file opens with what it is for', (t) => {
  for (const { path, text } of sources) {
    t.match(text, /^(#!.*\n)?(\/\*\*|\/\/)/, `${path} opens with a comment`)
  }
  t.end()
})

t.test('no leftovers', (t) => {
  const files = [...sources, ...listFiles(join(root, 'tests')).map(readSource)]
  for (const { path, text } of files) {
    if (path === 'tests/tidy.test.ts') continue
    t.notMatch(text, /\b(?:TODO|FIXME|XXX)\b/, `${path} has a leftover`)
    t.notMatch(text, /\bas any\b|@ts-ignore|@ts-nocheck/, `${path} cheats the type checker`)
    t.notMatch(text, /\bmockImport\b|\bmockRequire\b/, `${path} mocks a module`)
  }
  t.end()
})

t.test('the lockfile names no registry host', (t) => {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
  t.notMatch(lock, /"resolved"/)
  t.end()
})

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .sort()
}

function readSource(file: string): Source {
  const path = relative(root, file)
  const text = readFileSync(file, 'utf8')
  const statements = text.matchAll(
    /(?:^|\n)\s*(import|export)\s+(type\s)?[^'"()]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import\s+'([^']+)'/g,
  )
  const imports = [...statements].map((match) => {
    const specifier = match[3] ?? match[4] ?? match[5] ?? ''
    const target = specifier.startsWith('.') ? relative(root, join(dirname(file), specifier)) : null
    return { specifier, target, typeOnly: match[2] !== undefined || match[4] !== undefined }
  })
  return { path, room: roomOf(path), text, imports }
}

function roomOf(path: string): string {
  return path.split('/')[1] ?? ''
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}
