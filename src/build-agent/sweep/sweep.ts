/**
 * Delivers what agents of this machine have left behind: one that was killed, or that ended before the
 * server had all of its output.
 *
 * Every agent sweeps once when its slice runs, and `caravan build-agent sweep` does it from a timer of the
 * node. Two sweepers at one spool do no harm: both send the same bytes to the same offsets.
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type Clock,
  deadline,
  describeCause,
  type Log,
  type RandomSource,
} from '../../platform/index.ts'
import { deliverSpool } from './deliver.ts'
import { isInUse, isUnused, readRecord } from './record.ts'

export interface SweepOptions {
  /** Folders that hold spools. */
  spoolRoots: readonly string[]
  /** Nomad's folder of allocations on this node; each may hold spools of its own. */
  allocationsDir: string | null
  /** Only spools for this server; those of all servers when absent. */
  url?: string
  /** No more than so many spools, and no longer than so. */
  spoolsMax: number
  limitMs: number
  signal: AbortSignal
  clock: Clock
  log: Log
  random: RandomSource
}

export interface Swept {
  delivered: number
  /** The server will not have them, or they are too old: they are gone. */
  removed: number
  kept: number
}

/** Whoever wanted to see the output has looked for it by now. */
const AGE_MAX_MS = 3 * 24 * 3600 * 1000
/** A living agent is a moment from the folder to its record. */
const UNUSED_AGE_MS = 60_000
/** For one spool; a server that is away must not keep the others waiting. */
const SPOOL_LIMIT_MS = 120_000

export async function sweep(options: SweepOptions): Promise<Swept> {
  const { clock, log, spoolsMax } = options
  const swept: Swept = { delivered: 0, removed: 0, kept: 0 }
  const limit = deadline(clock, options.limitMs, options.signal)
  try {
    let count = 0
    for await (const folder of findSpools(options)) {
      if (count >= spoolsMax || limit.signal.aborted) break
      const outcome = await sweepOne(folder, options, limit.signal).catch((cause: unknown) => {
        log.warn('a spool could not be swept', { folder, cause: describeCause(cause) })
        return 'kept' as const
      })
      if (outcome === 'skipped') continue
      count += 1
      swept[outcome] += 1
    }
  } finally {
    limit.cancel()
  }
  if (swept.delivered + swept.removed + swept.kept > 0) log.info('spools were swept', { ...swept })
  return swept
}

/** Where spools of the machine lie, as seen from one allocation. */
export function toSweepPlaces(allocation: {
  dir: string
  spoolRoot?: string
}): Pick<SweepOptions, 'spoolRoots' | 'allocationsDir'> {
  const { dir, spoolRoot } = allocation
  return {
    spoolRoots: spoolRoot === undefined ? [] : [spoolRoot],
    // Nomad has `<data_dir>/alloc/<allocation>/alloc`.
    allocationsDir: dirname(dirname(dir)),
  }
}

async function sweepOne(
  folder: string,
  options: SweepOptions,
  signal: AbortSignal,
): Promise<keyof Swept | 'skipped'> {
  const { clock, log, url } = options
  const record = await readRecord(folder)
  const ageMs = clock.now() - (await stat(folder)).mtimeMs
  if (record === null) return ageMs > UNUSED_AGE_MS ? await removeUnused(folder) : 'skipped'
  if ((url !== undefined && record.url !== url) || (await isInUse(record))) return 'skipped'
  const limit = deadline(clock, SPOOL_LIMIT_MS, signal)
  const outcome = await deliverSpool(folder, record, { ...options, signal: limit.signal })
  limit.cancel()
  log.info('a spool was swept', { slice: record.slice, epoch: record.epoch, outcome })
  if (outcome === 'kept' && ageMs <= AGE_MAX_MS) return 'kept'
  await rm(folder, { recursive: true, force: true })
  return outcome === 'delivered' ? 'delivered' : 'removed'
}

/** Of an agent that was killed in its first moments: nothing was accepted, and nothing is in it. */
async function removeUnused(folder: string): Promise<'removed' | 'skipped'> {
  if (!/-epoch-\d+-[0-9a-f]+$/.test(folder) || !(await isUnused(folder))) return 'skipped'
  await rm(folder, { recursive: true, force: true })
  return 'removed'
}

async function* findSpools({ spoolRoots, allocationsDir }: SweepOptions): AsyncGenerator<string> {
  const roots = [...spoolRoots]
  if (allocationsDir !== null) {
    for (const id of await list(allocationsDir)) {
      roots.push(join(allocationsDir, id, 'alloc', 'caravan', 'spool'))
    }
  }
  for (const root of roots) for (const name of await list(root)) yield join(root, name)
}

/** Nothing for a folder that is not there, or not ours to read. */
async function list(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => [])
}
