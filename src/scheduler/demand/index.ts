/** Demand as the API tells it: from memory, with the store asked once for each job. */
import { isResult, type DemandAnswer, type DemandEvent, type SliceKey } from '../../model/index.ts'
import type { ResourceClass } from '../../model/index.ts'
import type { Clock } from '../../platform/index.ts'
import type { Ledger } from '../ledger.ts'
import { keyOf, type OpenSlice } from '../open-slices.ts'
import { createBell } from './bell.ts'
import { inOrder, toDemandClasses, toDemandSlice } from './demand.ts'
import { createRunTimes } from './run-times.ts'

export interface Demand {
  /** @param options.slices whether each slice is listed, too. */
  read(options: { slices: boolean }): Promise<DemandAnswer>
  /** How it is, then every change; quietly over when the signal aborts. */
  follow(signal: AbortSignal): AsyncIterable<DemandEvent>
}

export interface DemandDeps {
  ledger: Pick<Ledger, 'open' | 'read' | 'onCommit' | 'onFact'>
  classes: ReadonlyMap<string, ResourceClass>
  clock: Clock
}

/** About 6 MB of JSON; more slices than that are no news to whoever makes room for them. */
const SLICES_MAX = 20_000

/** A build is stored slice by slice: what comes together is told together. */
const GATHER_MS = 100

/** Nothing is missed without it; it only bounds what a fault of ours could do. */
const LOOK_MS = 15_000

export function createDemand({ ledger, classes, clock }: DemandDeps): Demand {
  const { open } = ledger
  const runTimes = createRunTimes(ledger.read)
  const bell = createBell()
  ledger.onFact((applied) => {
    const build = open.get(keyOf(applied.after))?.build
    if (build !== undefined) runTimes.note(build, applied)
  })
  ledger.onCommit(() => bell.ring())

  /** Awaits nothing: all of it is of one moment. */
  const tell = (wanted: readonly OpenSlice[]): DemandAnswer => {
    const nowMs = clock.now()
    return {
      at: new Date(nowMs).toISOString(),
      classes: toDemandClasses({ open, classes, nowMs }),
      slices: wanted.slice(0, SLICES_MAX).map((each) => toDemandSlice(each, runTimes, nowMs)),
      omitted: Math.max(0, wanted.length - SLICES_MAX),
    }
  }

  const read = async ({ slices }: { slices: boolean }): Promise<DemandAnswer> => {
    if (slices) await runTimes.load(buildsOf(live(open)))
    return tell(slices ? inOrder(live(open)) : [])
  }

  const follow = async function* (signal: AbortSignal): AsyncGenerator<DemandEvent> {
    const listener = bell.listen()
    try {
      await runTimes.load(buildsOf(live(open)))
      const all = inOrder(live(open))
      const seen = versionsOf(all.slice(0, SLICES_MAX))
      yield { type: 'demand', demand: tell(all) }
      for (;;) {
        await listener.wait(clock, { gatherMs: GATHER_MS, longestMs: LOOK_MS, signal })
        if (signal.aborted) return
        const changed = [...live(open)].filter(isOther(seen)).slice(0, SLICES_MAX)
        await runTimes.load(buildsOf(changed))
        const now = [...live(open)]
        const fresh = now.filter(isOther(seen)).slice(0, SLICES_MAX)
        const left = new Set(now.map(({ key }) => key))
        const gone = [...seen.keys()].filter((key) => !left.has(key))
        if (fresh.length + gone.length === 0) continue
        for (const [key, version] of versionsOf(fresh)) seen.set(key, version)
        for (const key of gone) seen.delete(key)
        const { omitted: _none, ...news } = tell(fresh)
        yield { type: 'changes', ...news, gone }
      }
    } finally {
      listener.stop()
    }
  }
  return { read, follow }
}

function* live(open: Iterable<OpenSlice>): Generator<OpenSlice> {
  for (const entry of open) if (!isResult(entry.slice.state)) yield entry
}

function* buildsOf(entries: Iterable<OpenSlice>): Generator<OpenSlice['build']> {
  for (const { build } of entries) yield build
}

function versionsOf(entries: readonly OpenSlice[]): Map<SliceKey, number> {
  return new Map(entries.map(({ key, slice }) => [key, slice.version]))
}

function isOther(seen: ReadonlyMap<SliceKey, number>) {
  return ({ key, slice }: OpenSlice) => seen.get(key) !== slice.version
}
