/** Runs a build again: a new one, from what the old one was compiled to and from its source. */
import {
  CaravanError,
  createBuildId,
  isResult,
  type ResourceClass,
  type Source,
} from '../model/index.ts'
import type { Clock, Log, RandomSource } from '../platform/index.ts'
import { planSlice } from './intake.ts'
import { resourceClassOf } from './job-builder.ts'
import type { Ledger } from './ledger.ts'
import type { Sources } from './sources.ts'
import {
  findBuild,
  insertBuild,
  insertSlices,
  readBuildTexts,
  readSlices,
  takeBuildNumber,
  type BuildRow,
} from './store/index.ts'

export interface RerunDeps {
  ledger: Ledger
  sources: Pick<Sources, 'has'>
  classes: ReadonlyMap<string, ResourceClass>
  clock: Clock
  random: RandomSource
  log: Log
}

export interface RerunOptions {
  /** Only the slices that did not succeed, with the indexes that they had. */
  failed: boolean
}

/**
 * @returns the new build, or null when there is no such build.
 * @throws CaravanError CONFLICT while the build is not over, when none of its slices failed, or when its
 * source is not kept any more; CONFIG_INVALID when the settings have its resource class no more.
 */
export async function rerunBuild(
  deps: RerunDeps,
  ref: string,
  { failed }: RerunOptions,
): Promise<BuildRow | null> {
  const { ledger, log } = deps
  const old = await findBuild(ledger.read, ref)
  if (old === null) return null
  // What is over does not change any more: nothing of this has to be read inside the transaction.
  if (!isResult(old.state)) throw refusal(`build ${old.number} is not over yet: wait or cancel it`)
  const indexes = failed ? await findFailed(deps, old) : allOf(old)
  const texts = await readBuildTexts(ledger.read, old.id)
  await checkSource(deps, old, texts.source)
  resourceClassOf(old.resource_class, deps.classes)
  const build = await ledger.write(async (entry) => {
    const number = await takeBuildNumber(entry.writer)
    const made = planRerun(deps, old, number)
    const slices = indexes.map((index) => planSlice(made, index))
    await insertBuild(entry.writer, made, texts)
    await insertSlices(entry.writer, slices)
    entry.opened(made, slices)
    return made
  })
  const { id, number, rerun_of } = build
  log.info('build is run again', { build: id, number, rerun_of, slices: indexes.length })
  return build
}

function allOf({ parallelism }: BuildRow): number[] {
  return Array.from({ length: parallelism }, (_, index) => index)
}

async function findFailed({ ledger }: RerunDeps, old: BuildRow): Promise<number[]> {
  const slices = await readSlices(ledger.read, old.id)
  const failed = slices.filter(({ state }) => state !== 'succeeded')
  if (failed.length > 0) return failed.map((slice) => slice.slice_index)
  throw refusal(
    `every slice of build ${old.number} succeeded: leave --failed away to run all again`,
  )
}

async function checkSource({ sources }: RerunDeps, old: BuildRow, source: Source): Promise<void> {
  if (source.kind !== 'bundle' || (await sources.has(source.id))) return
  const commit = old.sha === '' ? 'its commit' : `commit ${old.sha}`
  throw refusal(
    `the source of build ${old.number} is not kept any more: start a new build from ${commit}`,
  )
}

function planRerun({ clock, random }: RerunDeps, old: BuildRow, number: number): BuildRow {
  const nowMs = clock.now()
  return {
    ...old,
    id: createBuildId(nowMs, random.bytes(8)),
    number,
    state: 'queued',
    reason: null,
    created_ms: nowMs,
    started_ms: null,
    finished_ms: null,
    rerun_of: old.number,
  }
}

function refusal(message: string): CaravanError {
  return new CaravanError('CONFLICT', message)
}
