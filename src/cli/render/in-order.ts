/**
 * Puts the steps of a slice one after the other, as they ran.
 *
 * Events and output travel apart: a step's last bytes may come after the next step has begun. On a
 * page each step has a place of its own; in a stream of lines they would stand under the wrong heading.
 */
import type { FollowEvent } from '../../model/index.ts'
import { isResult } from '../../model/index.ts'
import type { Renderer } from './renderer.ts'

/** An earlier step whose end does not come must hold back neither the reader nor the memory. */
const HELD_CHARACTERS_MAX = 512 * 1024

type StepEvent = Extract<FollowEvent, { type: 'step' | 'output' }>

interface Held {
  /** The step that runs, as far as has been shown. */
  current: number | null
  events: StepEvent[]
  characters: number
}

export function inOrder(view: Renderer): Renderer {
  const slices = new Map<number, Held>()
  const epochs = new Map<number, number>()

  const heldOf = (slice: number): Held => {
    const held = slices.get(slice) ?? { current: null, events: [], characters: 0 }
    slices.set(slice, held)
    return held
  }

  async function show(slice: number, event: StepEvent): Promise<void> {
    const held = heldOf(slice)
    const index = indexOf(event)
    if (held.current !== null && index > held.current) {
      held.events.push(event)
      held.characters += event.type === 'output' ? event.data.length : 0
      if (held.characters > HELD_CHARACTERS_MAX) await release(slice)
      return
    }
    await view.event(event)
    // Steps in the background run beside the others, and their lines stand among theirs.
    if (event.type === 'output' || event.step.background || event.step.state === 'waiting') return
    held.current = event.step.state === 'running' ? index : null
    if (held.current === null) await replay(slice)
  }

  /** Events that were held take the same way again: they may hold one another. */
  async function replay(slice: number): Promise<void> {
    const { events } = heldOf(slice)
    slices.delete(slice)
    for (const event of events) await show(slice, event)
  }

  async function release(slice: number): Promise<void> {
    const events = slices.get(slice)?.events ?? []
    slices.delete(slice)
    for (const event of events) await view.event(event)
  }

  return {
    async event(event) {
      if (event.type === 'step' || event.type === 'output') return show(event.slice, event)
      if (event.type === 'slice') {
        const { index, epoch, state } = event.slice
        const isAnother = epochs.get(index) !== epoch
        epochs.set(index, epoch)
        // The steps of another attempt wait for none of the one before.
        if (isAnother || isResult(state)) await release(index)
      }
      await view.event(event)
    },
    async end(build) {
      for (const slice of slices.keys()) await release(slice)
      await view.end(build)
    },
    close: () => view.close(),
  }
}

function indexOf(event: StepEvent): number {
  return event.type === 'output' ? event.step : event.step.index
}
