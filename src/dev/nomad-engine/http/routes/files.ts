/** Calls about the files of an allocation, its logs above all. */
import { createReadStream, existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { basename, join, normalize, sep } from 'node:path'
import type { Clock } from '../../../../platform/index.ts'
import { toAllocationFolder, toTaskFolders } from '../../client/folders.ts'
import { listLogs, LOG_TYPES } from '../../client/log-files.ts'
import type { LogFile } from '../../client/log-files.ts'
import { groupOf } from '../../objects/allocation.ts'
import { checkUuid, Refusal } from '../../operations/refusal.ts'
import type { State } from '../../state/state.ts'
import { json, readFlag } from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'
import { readFrames, singleFile, toByteStream, toJsonStream } from '../frames.ts'
import type { Source, StreamOptions } from '../frames.ts'

export interface FileDeps {
  state: State
  clock: Clock
  dataDir: string
}

export function fileRoutes(deps: FileDeps): Routes {
  return {
    '/v1/client/fs/logs/:id': { GET: (call) => readLogs(deps, call) },
    '/v1/client/fs/ls/:id': { GET: (call) => listFolder(deps, call) },
    '/v1/client/fs/stat/:id': { GET: (call) => describeFile(deps, call) },
    '/v1/client/fs/cat/:id': { GET: (call) => readWhole(deps, call) },
    '/v1/client/fs/readat/:id': { GET: (call) => readPart(deps, call) },
    '/v1/client/fs/stream/:id': { GET: (call) => streamFile(deps, call) },
  }
}

function readLogs({ state, clock, dataDir }: FileDeps, call: Call): Reply {
  const task = call.query.get('task') ?? ''
  if (task === '') throw new Refusal(400, 'must provide task name')
  const type = LOG_TYPES.find((each) => each === call.query.get('type'))
  if (type === undefined) throw new Refusal(400, 'must provide log type (stdout/stderr)')
  const options = readStreamOptions(call, readFlag(call, 'follow'))
  const id = idOf({ state, dataDir }, call)
  const allocation = state.tables.allocation.get(id)
  const isKnown = allocation && groupOf(allocation)?.Tasks.some((each) => each.Name === task)
  if (!isKnown) throw new Refusal(400, `unknown task name "${task}"`)
  if (!allocation.TaskStates?.[task]?.StartedAt) {
    throw new Refusal(404, `task "${task}" not started yet. No logs available`)
  }
  const { logs } = toTaskFolders(dataDir, id, task)
  const source: Source = {
    list: () => listLogs(logs, task, type),
    label: (file) => `alloc/logs/${(file as LogFile).name}`,
  }
  const frames = readFrames(clock, source, options, call.signal)
  if (!readFlag(call, 'plain')) return toStream('application/json', toJsonStream(frames))
  return toStream('text/plain', toByteStream(frames))
}

function listFolder(deps: FileDeps, call: Call): Reply {
  const { path, stats } = find(deps, call, 'open')
  if (!stats.isDirectory()) return json(call, [describe(basename(path), stats)])
  const entries = readdirSync(path)
    .sort()
    .flatMap((name) => {
      const entry = statSync(join(path, name), { throwIfNoEntry: false })
      return entry ? [describe(name, entry)] : []
    })
  return json(call, entries)
}

function describeFile(deps: FileDeps, call: Call): Reply {
  const { path, stats } = find(deps, call, 'stat')
  const type = stats.isDirectory() ? {} : { ContentType: 'text/plain; charset=utf-8' }
  return json(call, { ...describe(basename(path), stats), ...type })
}

function readWhole(deps: FileDeps, call: Call): Reply {
  const { path } = find(deps, call, 'stat')
  return toStream('text/plain; charset=utf-8', createReadStream(path))
}

function readPart(deps: FileDeps, call: Call): Reply {
  const start = readOffset(call, 'offset')
  const limit = call.query.get('limit') ? readOffset(call, 'limit') : -1
  const { path } = find(deps, call, 'stat')
  const end = limit < 0 ? Number.POSITIVE_INFINITY : start + limit - 1
  const isEmpty = end < start
  const stream = isEmpty ? createReadStream('/dev/null') : createReadStream(path, { start, end })
  return toStream('text/plain; charset=utf-8', stream)
}

function streamFile(deps: FileDeps, call: Call): Reply {
  const options = readStreamOptions(call, readFlag(call, 'follow', true))
  let found: { path: string }
  try {
    found = find(deps, call, 'stat')
  } catch (cause) {
    // This one call tells of a missing file with another status than its sisters.
    if (cause instanceof Refusal && cause.status === 404 && cause.message.startsWith('stat ')) {
      throw new Refusal(400, cause.message)
    }
    throw cause
  }
  const source = singleFile(found.path, call.query.get('path') ?? '')
  const frames = readFrames(deps.clock, source, options, call.signal)
  return toStream('text/plain; charset=utf-8', toJsonStream(frames))
}

function readStreamOptions(call: Call, follow: boolean): StreamOptions {
  const origin = call.query.get('origin') || 'start'
  if (origin !== 'start' && origin !== 'end') {
    throw new Refusal(400, 'origin must be start or end')
  }
  const offset = call.query.get('offset') ? readOffset(call, 'offset') : 0
  return { origin, offset, follow }
}

function readOffset(call: Call, name: string): number {
  const text = call.query.get(name) ?? ''
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const why = `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`
  throw new Refusal(400, `error parsing ${name}: ${why}`)
}

/** The file that the call names, inside the allocation's folder. @throws Refusal */
function find(deps: FileDeps, call: Call, verb: string): { path: string; stats: Stats } {
  const folder = toAllocationFolder(deps.dataDir, idOf(deps, call))
  const wanted = call.query.get('path') ?? ''
  if (wanted === '') throw new Refusal(400, 'must provide a file name')
  const path = normalize(join(folder, wanted))
  if (!isWithin(folder, path)) throw toEscape()
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) throw new Refusal(404, `${verb} ${path}: no such file or directory`)
  // A task can plant links; they must not lead out of its allocation.
  if (!isWithin(realpathSync(folder), realpathSync(path))) throw toEscape()
  return { path, stats }
}

function isWithin(folder: string, path: string): boolean {
  return path === folder || path === `${folder}${sep}` || path.startsWith(`${folder}${sep}`)
}

function toEscape(): Refusal {
  return new Refusal(400, 'Path escapes the alloc directory')
}

/** @throws Refusal 404 when there is no such allocation, or its files are gone already. */
function idOf({ state, dataDir }: Pick<FileDeps, 'state' | 'dataDir'>, call: Call): string {
  const id = call.params['id'] ?? ''
  checkUuid(id, 'alloc lookup failed: ')
  const isKnown = state.tables.allocation.get(id) !== undefined
  if (isKnown && existsSync(toAllocationFolder(dataDir, id))) return id
  if (isKnown && state.tables.allocation.get(id)?.TaskStates === null) return id
  throw new Refusal(404, `Unknown allocation "${id}"`)
}

function describe(Name: string, stats: Stats) {
  return {
    Name,
    IsDir: stats.isDirectory(),
    Size: stats.size,
    FileMode: toMode(stats),
    ModTime: stats.mtime.toISOString(),
  }
}

/** `-rw-r--r--`, as `ls` prints it. */
function toMode(stats: Stats): string {
  const kind = stats.isDirectory() ? 'd' : stats.isFIFO() ? 'p' : '-'
  const bits = [0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001]
  const letters = bits.map((bit, at) => (stats.mode & bit ? ('rwx'[at % 3] ?? '-') : '-'))
  return kind + letters.join('')
}

function toStream(type: string, body: Extract<Reply['body'], object>): Reply {
  return { status: 200, headers: { 'content-type': type }, body }
}
