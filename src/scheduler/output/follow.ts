/** Following a build: its states from the store, its output from disk, in an order that makes sense. */
import {
  type BuildId,
  type BuildView,
  CaravanError,
  type FollowEvent,
  isBuildId,
  isResult,
  toSliceKey,
} from '../../model/index.ts'
import type { Clock } from '../../platform/index.ts'
import type { ChangeFeed, OutputStore, Scheduler } from '../ports.ts'
import type { Followers } from './followers.ts'
import { findDifferences, holdEnds } from './differences.ts'
import { Inbox } from './inbox.ts'
import { OutputPump } from './pump.ts'

export interface FollowDeps {
  changes: ChangeFeed
  /** @param ref a build id or number. */
  readBuild: (ref: string) => Promise<BuildView | null>
  outputs: OutputStore
  followers: Followers
  clock: Clock
}

/** Changes that come at once are told at once; nobody sees the difference of 20 ms. */
const GATHER_MS = 20

/** A follower of a large build may keep the store busy for a fifth of the time, no more. */
const REST_PER_READ = 4

/** Followed builds are looked at this often even when no change is announced. */
const LOOK_MS = 15_000

/**
 * A follower asks for the next event when it has dealt with the last one. What happens meanwhile is
 * not stored for it: states are read again, and told as they are by then; output stays on disk. So a
 * slow follower costs no memory, and a late one sees all output from the first byte.
 *
 * The stream opens with the build and ends with it, after its last output, when it is over or earlier
 * and quietly when the signal aborts. Reading it throws CaravanError NOT_FOUND for an unknown build.
 */
export function createFollow(deps: FollowDeps): Scheduler['follow'] {
  return (ref, { output }, signal) => follow(deps, { ref, output, signal })
}

interface FollowRequest {
  ref: string
  output: boolean
  signal: AbortSignal
}

async function* follow(deps: FollowDeps, request: FollowRequest): AsyncGenerator<FollowEvent> {
  const { clock } = deps
  const { output, signal } = request
  const { build, view: found } = await findBuild(deps, request.ref)
  const inbox = new Inbox()
  const pump = new OutputPump(deps.outputs)
  const stop = listen(deps, { build, view: found, output, inbox, pump })
  try {
    // Read again: what changed before we listened was announced to nobody.
    let seen = await look(deps, build, output)
    yield { type: 'build', build: seen.view }
    if (output) pump.noteAll(build, seen.view)
    while (!signal.aborted) {
      yield* inbox.takeNotices()
      const sinceMs = clock.monotonic() - seen.atMs
      if (sinceMs >= LOOK_MS || (seen.isHolding && inbox.hasOutput)) inbox.isStale = true
      if (inbox.isStale && sinceMs >= seen.restMs && !isResult(seen.view.state)) {
        inbox.isStale = false
        inbox.hasOutput = false
        const before = seen.view
        seen = await look(deps, build, output)
        yield* tell(pump, before, seen.view)
        continue
      }
      const next = pump.next(seen.view)
      if (next !== null) yield* pump.send(next)
      else if (isResult(seen.view.state)) return yield { type: 'build', build: seen.view }
      else await inbox.wait(clock, (inbox.isStale ? seen.restMs : LOOK_MS) - sinceMs, signal)
    }
  } finally {
    stop()
  }
}

/** A step is told to be over only after its output. */
async function* tell(
  pump: OutputPump,
  before: BuildView,
  after: BuildView,
): AsyncGenerator<FollowEvent> {
  for (const event of findDifferences(before, after)) {
    const isEnd = event.type === 'step' && event.step.state !== 'running'
    if (isEnd) yield* pump.flush(after, { slice: event.slice, step: event.step.index })
    yield event
  }
}

async function findBuild(
  deps: FollowDeps,
  ref: string,
): Promise<{ build: BuildId; view: BuildView }> {
  const view = await deps.readBuild(ref)
  if (view === null || !isBuildId(view.id)) {
    throw new CaravanError('NOT_FOUND', `there is no build ${ref}`)
  }
  return { build: view.id, view }
}

interface Look {
  view: BuildView
  /** Some step is over, but shown as running until its output is here. */
  isHolding: boolean
  atMs: number
  /** How long to wait before the next one. */
  restMs: number
}

async function look(deps: FollowDeps, build: BuildId, output: boolean): Promise<Look> {
  const startMs = deps.clock.monotonic()
  const { view: found } = await findBuild(deps, build)
  const atMs = deps.clock.monotonic()
  // Whoever does not read the output has nothing to wait for.
  const view = output ? holdEnds(found) : found
  const restMs = Math.max(GATHER_MS, (atMs - startMs) * REST_PER_READ)
  return { view, isHolding: view !== found, atMs, restMs }
}

interface Listening {
  build: BuildId
  view: BuildView
  output: boolean
  inbox: Inbox
  pump: OutputPump
}

function listen(deps: FollowDeps, { build, view, output, inbox, pump }: Listening): () => void {
  const stops = [deps.changes.subscribe(build, (change) => inbox.add(change))]
  if (output) stops.push(deps.followers.join(build))
  for (const slice of output ? view.slices : []) {
    const stop = deps.outputs.watch(toSliceKey(build, slice.index), (key) => {
      pump.note(key)
      inbox.hasOutput = true
      inbox.wake()
    })
    stops.push(stop)
  }
  return () => stops.forEach((stop) => stop())
}
