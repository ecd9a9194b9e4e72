/**
 * When a slice that reported is really over: when all output of its finished steps is here, or when no
 * more will come and what is missing is marked.
 */
import { isResult, type SliceKey } from '../../model/index.ts'
import type { Clock, Log } from '../../platform/index.ts'
import { placeOf, type Ledger, type LedgerEntry } from '../ledger.ts'
import type { OpenSlice } from '../open-slices.ts'
import type { OutputStore } from '../ports.ts'
import { outputKeyOf } from '../reading.ts'
import { insertNotice, readSteps, saveStep, type StepRow } from '../store/index.ts'
import type { KnownCaller } from './callers.ts'

export interface Delivery {
  /** The most bytes that the stream may come to hold. */
  limitOf(who: KnownCaller, place: StreamPlace): Promise<number>
  /** The stream has grown. */
  arrived(who: KnownCaller, place: StreamPlace, have: number): Promise<void>
  /** These steps are over, and how long their output is, is known. */
  finished(who: KnownCaller, steps: readonly StepRow[]): Promise<void>
  /** Looks, in the background, whether the slice is over. */
  check(key: SliceKey): void
  /** Takes the slice for over with the output that is here: no more will come. */
  conclude(key: SliceKey): void
  forget(key: SliceKey): void
  /** Waits for what runs in the background. */
  settle(): Promise<void>
}

export interface StreamPlace {
  step: number
  attempt: number
}

export interface DeliveryDeps {
  ledger: Ledger
  outputs: OutputStore
  /** Bytes of one stream. */
  outputMax: number
  clock: Clock
  log: Log
}

/** The agent ends output that outgrew the limit with a marker, which stands beyond it. */
export const MARKER_BYTES_MAX = 4096

/** More than one for each finished step, whatever happens to its output. */
const NOTICES_MAX = 2000

export function createDelivery(deps: DeliveryDeps): Delivery {
  const { log } = deps
  /** Lengths of finished streams, by slice. Read from the rows when first asked for. */
  const lengths = new Map<SliceKey, { epoch: number; known: Promise<Map<string, number>> }>()
  const checks = new Map<SliceKey, { again: boolean; force: boolean; done: Promise<void> }>()

  const lengthsOf = (who: KnownCaller): Promise<Map<string, number>> => {
    const { epoch } = who.place
    const before = lengths.get(who.key)
    if (before?.epoch === epoch) return before.known
    const known = readLengths(deps, who)
    lengths.set(who.key, { epoch, known })
    // A failed read is tried again by the next call, not remembered.
    known.catch(() => lengths.delete(who.key))
    return known
  }

  const start = (key: SliceKey, force: boolean): void => {
    const known = checks.get(key)
    if (known !== undefined) {
      known.again = true
      known.force ||= force
      return
    }
    const check = { again: false, force, done: Promise.resolve() }
    checks.set(key, check)
    check.done = run(key, check)
  }

  const run = async (key: SliceKey, state: { again: boolean; force: boolean }): Promise<void> => {
    try {
      do {
        state.again = false
        await inspect(deps, key, state.force)
      } while (state.again)
    } catch (cause) {
      // Asked again once in a while, as long as the slice is finishing.
      log.error('the end of a slice could not be settled yet', { slice: key, cause })
    } finally {
      checks.delete(key)
    }
  }

  return {
    async limitOf(who, place) {
      const known = (await lengthsOf(who)).get(nameOf(place))
      return known ?? deps.outputMax + MARKER_BYTES_MAX
    },
    async arrived(who, place, have) {
      const expected = (await lengthsOf(who)).get(nameOf(place))
      if (expected !== undefined && have >= expected) start(who.key, false)
    },
    async finished(who, steps) {
      const known = await lengthsOf(who)
      for (const step of steps) {
        const place = { step: step.step_index, attempt: step.attempt }
        known.set(nameOf(place), step.output_length ?? 0)
      }
    },
    check: (key) => start(key, false),
    conclude: (key) => start(key, true),
    forget: (key) => void lengths.delete(key),
    async settle() {
      while (checks.size > 0) await Promise.all([...checks.values()].map((check) => check.done))
    },
  }
}

async function readLengths(deps: DeliveryDeps, who: KnownCaller): Promise<Map<string, number>> {
  const steps = await readSteps(deps.ledger.read, who.place)
  const finished = steps.filter((step) => step.finished_ms !== null)
  return new Map(
    finished.map((step) => [
      nameOf({ step: step.step_index, attempt: step.attempt }),
      step.output_length ?? 0,
    ]),
  )
}

function nameOf({ step, attempt }: StreamPlace): string {
  return `${step}.${attempt}`
}

interface Judged {
  step: StepRow
  /** What people are told about it. */
  notice: string | null
}

async function inspect(deps: DeliveryDeps, key: SliceKey, force: boolean): Promise<void> {
  const entry = deps.ledger.open.get(key)
  if (entry === undefined || entry.attempt === null || isResult(entry.slice.state)) return
  const place = { ...placeOf(entry.slice), epoch: entry.slice.epoch }
  const judged: Judged[] = []
  let missing = false
  for (const step of await readSteps(deps.ledger.read, place)) {
    if (step.finished_ms === null || step.output_state !== null) continue
    const verdict = await judge(deps, step, force)
    if (verdict === null) missing = true
    else judged.push(verdict)
  }
  const { reported_reason: reason, reported_detail: detail } = entry.attempt
  const over = reason === null || missing ? null : { reason, detail }
  if (judged.length === 0 && over === null) return
  await deps.ledger.write(async (writing) => {
    for (const each of judged) await save(deps, writing, entry, each)
    if (over !== null) await writing.record(place, { kind: 'ended', epoch: place.epoch, ...over })
  }, place)
  if (over !== null) deps.log.info('slice finished', { slice: key, ...over })
}

/** @returns null while bytes are missing that may still come. */
async function judge(deps: DeliveryDeps, step: StepRow, force: boolean): Promise<Judged | null> {
  const output = outputKeyOf(step)
  const expected = step.output_length ?? 0
  const have = await deps.outputs.length(output)
  if (have < expected) {
    if (!force) return null
    const lost = expected - have
    const notice = `the last ${lost} of ${expected} bytes of output of step ${step.step_index} are lost`
    return { step: { ...step, output_state: 'incomplete' }, notice }
  }
  const isWhole =
    expected === 0 ||
    step.output_sha256 === '' ||
    (await deps.outputs.sha256(output)) === step.output_sha256
  if (isWhole) return { step: { ...step, output_state: 'complete' }, notice: null }
  deps.log.error('output differs from what the agent sent', { ...output })
  const notice = `the output of step ${step.step_index} is damaged: it differs from what the step wrote`
  return { step: { ...step, output_state: 'incomplete' }, notice }
}

async function save(
  deps: DeliveryDeps,
  writing: LedgerEntry,
  { slice }: OpenSlice,
  { step, notice }: Judged,
): Promise<void> {
  const { build_id, slice_index, epoch } = slice
  await saveStep(writing.writer, step)
  writing.announce(build_id, { kind: 'step', slice: slice_index, step: step.step_index })
  if (notice === null) return
  const row = { build_id, slice_index, epoch, step_index: step.step_index }
  await insertNotice(writing.writer, { ...row, at_ms: deps.clock.now(), text: notice }, NOTICES_MAX)
  writing.announce(build_id, { kind: 'notice', slice: slice_index, text: notice })
}
