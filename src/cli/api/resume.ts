/** What a follower has seen, so that a stream which starts over adds nothing twice. */
import { CaravanError, type FollowEvent } from '../../model/index.ts'

type OutputEvent = Extract<FollowEvent, { type: 'output' }>

interface SliceSeen {
  epoch: number
  /** Bytes seen of each step. */
  have: Map<number, number>
}

/**
 * @returns a function from an event to what of it is new, or null. A new epoch of a slice starts its
 * output over, which the server tells before the first byte of it.
 */
export function createResume(): (event: FollowEvent) => FollowEvent | null {
  const slices = new Map<number, SliceSeen>()
  const seeEpoch = (slice: { index: number; epoch: number }) => {
    if (slices.get(slice.index)?.epoch === slice.epoch) return
    slices.set(slice.index, { epoch: slice.epoch, have: new Map() })
  }
  return (event) => {
    if (event.type === 'build') event.build.slices.forEach(seeEpoch)
    if (event.type === 'slice') seeEpoch(event.slice)
    return event.type === 'output' ? takeNew(slices, event) : event
  }
}

function takeNew(slices: Map<number, SliceSeen>, event: OutputEvent): OutputEvent | null {
  const seen = slices.get(event.slice) ?? { epoch: 0, have: new Map<number, number>() }
  slices.set(event.slice, seen)
  const have = seen.have.get(event.step) ?? 0
  const end = event.offset + Buffer.byteLength(event.data, 'base64')
  if (event.offset > have) {
    const place = `slice ${event.slice}, step ${event.step}`
    throw new CaravanError('SERVER_ERROR', `the server left out output of ${place}`, {
      detail: { have, offset: event.offset },
    })
  }
  if (end <= have) return null
  seen.have.set(event.step, end)
  if (event.offset === have) return event
  const fresh = Buffer.from(event.data, 'base64').subarray(have - event.offset)
  return { ...event, offset: have, data: fresh.toString('base64') }
}
