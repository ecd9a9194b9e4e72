/** An agent's output: masked bytes at an offset, kept once. */
import { CaravanError } from '../../model/index.ts'
import type { OpenSlices } from '../open-slices.ts'
import type { AgentGate, OutputStore } from '../ports.ts'
import type { Reading } from '../reading.ts'
import { hasAccepted } from '../slice-machine.ts'
import { refuse, type Identify } from './callers.ts'
import type { Delivery } from './delivery.ts'
import type { LateOutput } from './late-output.ts'
import type { Orders } from './orders.ts'

export function createOutput(deps: {
  identify: Identify
  open: OpenSlices
  delivery: Delivery
  reading: Reading
  outputs: OutputStore
  late: LateOutput
  orders: Orders
}): AgentGate['output'] {
  const { identify, open, delivery, reading, outputs, late, orders } = deps
  return async (caller, { step, attempt, offset }, bytes) => {
    const known = await identify(caller, true)
    if (!known.ok) return known
    const who = known.value
    const stream = { slice: who.key, epoch: who.place.epoch, step, attempt }
    if (who.isOver) {
      const have = await late.take(who, { step, attempt, offset }, bytes)
      if (have === null) return refuse('fenced')
      return { ok: true, value: { have, control: orders.of(who.slice) } }
    }
    const { spec } = await reading.texts(who.place.build)
    if (spec.steps[step] === undefined || !hasAccepted(who.slice.state)) {
      throw new CaravanError('INPUT_INVALID', `step ${step} of the slice is not running`)
    }
    const room = (await delivery.limitOf(who, { step, attempt })) - offset
    const wanted = bytes.subarray(0, Math.max(0, room))
    const have = wanted.length > 0 ? outputs.append(stream, offset, wanted) : outputs.length(stream)
    await delivery.arrived(who, { step, attempt }, await have)
    const { slice } = open.get(who.key) ?? who
    return { ok: true, value: { have: await have, control: orders.of(slice) } }
  }
}
