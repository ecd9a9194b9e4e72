/** Sends the output of one build from disk, as fast as its reader takes it and no faster. */
import {
  type BuildId,
  type BuildView,
  type FollowEvent,
  isResult,
  parseSliceKey,
  toSliceKey,
} from '../../model/index.ts'
import type { OutputKey, OutputPlace, OutputStore } from '../ports.ts'

/** A few hundred lines. More in one event makes a live view stutter, less costs more to encode. */
const EVENT_BYTES = 64 * 1024

/** What one stream sends before the next one's turn, so that no step starves the others. */
const TURN_BYTES = 512 * 1024

/** Views name no attempt of a step: it has one per epoch. */
const ATTEMPT = 1

type OutputEvent = Extract<FollowEvent, { type: 'output' }>

export class OutputPump {
  readonly #outputs: OutputStore
  /** Streams that may hold more than was sent. */
  readonly #pending = new Map<string, OutputKey>()
  readonly #sentBytes = new Map<string, number>()

  constructor(outputs: OutputStore) {
    this.#outputs = outputs
  }

  note(key: OutputKey): void {
    this.#pending.set(nameOf(key), key)
  }

  /** Notes all that was written before anybody listened. */
  noteAll(build: BuildId, view: BuildView): void {
    for (const { index, epoch, steps } of view.slices) {
      const slice = toSliceKey(build, index)
      for (const step of steps) {
        if (step.state === 'waiting' && step.output.have === 0) continue
        this.note({ slice, epoch, step: step.index, attempt: ATTEMPT })
      }
    }
  }

  /** The stream whose turn it is, if any may be sent by now. */
  next(view: BuildView): OutputKey | null {
    for (const key of this.#pending.values()) {
      if (judge(view, key) === 'send') return key
    }
    return null
  }

  /** Sends a share of the stream, which then stands at the end of the queue. */
  async *send(key: OutputKey): AsyncGenerator<OutputEvent> {
    const name = nameOf(key)
    // Taken off first: what arrives from here on is noted anew.
    this.#pending.delete(name)
    const slice = sliceOf(key)
    let offset = this.#sentBytes.get(name) ?? 0
    const bytes = await this.#outputs.read(key, { offset, length: TURN_BYTES })
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      for (const data of split(chunk)) {
        yield { type: 'output', slice, step: key.step, offset, data: data.toString('base64') }
        offset += data.length
        this.#sentBytes.set(name, offset)
      }
    }
    if ((await this.#outputs.length(key)) > offset) this.note(key)
  }

  /** Sends all that is held of one step. */
  async *flush(view: BuildView, place: OutputPlace): AsyncGenerator<OutputEvent> {
    for (;;) {
      const key = [...this.#pending.values()].find((each) => isAt(place, each))
      if (key === undefined || judge(view, key) !== 'send') return
      yield* this.send(key)
    }
  }
}

/**
 * Output follows what the reader was told: a step's after its start, an epoch's after its beginning.
 * That of an epoch which is over has no reader any more.
 */
function judge(view: BuildView, key: OutputKey): 'send' | 'later' | 'never' {
  const slice = view.slices.find((each) => each.index === sliceOf(key))
  if (slice === undefined || key.epoch < slice.epoch || key.attempt !== ATTEMPT) return 'never'
  const isOver = isResult(view.state)
  if (key.epoch > slice.epoch) return isOver ? 'never' : 'later'
  const step = slice.steps.find((each) => each.index === key.step)
  if (step === undefined) return 'never'
  return step.state === 'waiting' && !isOver ? 'later' : 'send'
}

function* split(chunk: Buffer): Generator<Buffer> {
  for (let at = 0; at < chunk.length; at += EVENT_BYTES) yield chunk.subarray(at, at + EVENT_BYTES)
}

function isAt(place: OutputPlace, key: OutputKey): boolean {
  return sliceOf(key) === place.slice && key.step === place.step
}

function sliceOf(key: OutputKey): number {
  return parseSliceKey(key.slice)?.index ?? -1
}

function nameOf(key: OutputKey): string {
  return `${key.slice}/${key.epoch}/${key.step}/${key.attempt}`
}
