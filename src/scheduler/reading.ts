/** Reads builds for people: gathers rows, output lengths and hints into views. */
import { CaravanError, type BuildId, type BuildSummary, type BuildView } from '../model/index.ts'
import type { Hints } from './hints.ts'
import { keyOf } from './open-slices.ts'
import type { ByteRange, OutputKey, OutputPlace, OutputRead, OutputStore } from './ports.ts'
import {
  findBuild,
  listBuilds,
  readBuildSteps,
  readBuildTexts,
  readEarlierAttempts,
  readNotices,
  readSlice,
  readSlices,
  readSteps,
  type BuildTexts,
  type Reader,
  type StepRow,
} from './store/index.ts'
import { toBuildSummary, toBuildView } from './views.ts'

export interface Reading {
  /** @param ref a build id, or a build number in decimal. */
  build(ref: string): Promise<BuildView | null>
  builds(page: {
    cursor?: string
    limit: number
  }): Promise<{ builds: BuildSummary[]; next_cursor: string | null }>
  output(place: OutputPlace & { ref: string }, range: ByteRange): Promise<OutputRead | null>
  /** What does not change about a build. */
  texts(build: BuildId): Promise<BuildTexts>
}

/** What a person reads of a build; the oldest are left out of its view. */
const NOTICES_MAX = 200

/** Builds whose texts are kept parsed: those that people and agents are looking at. */
const TEXTS_MAX = 256

export function createReading(deps: { read: Reader; outputs: OutputStore; hints: Hints }): Reading {
  const { read, outputs, hints } = deps
  const texts = cacheTexts(read)
  return {
    texts,
    async build(ref) {
      const build = await findBuild(read, ref)
      if (build === null) return null
      const slices = await readSlices(read, build.id)
      const steps = await readBuildSteps(read, build.id)
      const isFirst = slices.every((slice) => slice.epoch === 1)
      const earlier = isFirst ? [] : await readEarlierAttempts(read, { build: build.id })
      const notices = await readNotices(read, build.id, NOTICES_MAX)
      const lengths = await readLengths(steps, outputs)
      return toBuildView({
        build,
        slices,
        steps,
        earlier,
        notices,
        texts: await texts(build.id),
        have: (step) => lengths.get(step) ?? 0,
        hint: (slice) => hints.of(keyOf(slice)),
      })
    },
    async builds({ cursor, limit }) {
      // One more than asked for, to know whether there is another page.
      const rows = await listBuilds(read, { ...parseCursor(cursor), limit: limit + 1 })
      const page = rows.slice(0, limit)
      const last = rows.length > limit ? page.at(-1) : undefined
      return {
        builds: page.map(toBuildSummary),
        next_cursor: last === undefined ? null : String(last.number),
      }
    },
    async output({ ref, slice: index, step, epoch: asked }, range) {
      const build = await findBuild(read, ref)
      if (build === null) return null
      const slice = await readSlice(read, { build: build.id, index })
      const { spec } = await texts(build.id)
      if (slice === null || spec.steps[step] === undefined) return null
      const epoch = asked ?? slice.epoch
      if (epoch > slice.epoch) return null
      const rows = await readSteps(read, { build: build.id, index, epoch })
      const row = rows.findLast((each) => each.step_index === step)
      const key = {
        slice: keyOf(slice),
        epoch,
        step,
        attempt: row?.attempt ?? 1,
      }
      return {
        have: await outputs.length(key),
        bytes: await outputs.read(key, range),
        complete: row?.output_state === 'complete',
      }
    },
  }
}

/** Where the output of a step is kept. */
export function outputKeyOf(step: StepRow): OutputKey {
  return {
    slice: keyOf(step),
    epoch: step.epoch,
    step: step.step_index,
    attempt: step.attempt,
  }
}

async function readLengths(
  steps: readonly StepRow[],
  outputs: OutputStore,
): Promise<Map<StepRow, number>> {
  const lengths = new Map<StepRow, number>()
  for (const step of steps) {
    const known = step.output_state === 'complete' ? step.output_length : null
    lengths.set(step, known ?? (await outputs.length(outputKeyOf(step))))
  }
  return lengths
}

function parseCursor(cursor: string | undefined): { before?: number } {
  if (cursor === undefined) return {}
  if (!/^[0-9]{1,9}$/.test(cursor)) {
    throw new CaravanError('INPUT_INVALID', 'the cursor is not one that a page before handed out')
  }
  return { before: Number(cursor) }
}

function cacheTexts(read: Reader): (build: BuildId) => Promise<BuildTexts> {
  const known = new Map<BuildId, BuildTexts>()
  return async (build) => {
    const found = known.get(build) ?? (await readBuildTexts(read, build))
    known.delete(build)
    known.set(build, found)
    const oldest = known.size > TEXTS_MAX ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    return found
  }
}
