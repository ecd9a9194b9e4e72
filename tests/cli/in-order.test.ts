import t from 'tap'
import type { FollowEvent, StepState } from '../../src/model/index.ts'
import { inOrder } from '../../src/cli/render/in-order.ts'
import { aBuild, aSlice, aStep } from '../support/builds.ts'

const step = (index: number, state: StepState): FollowEvent => ({
  type: 'step',
  slice: 0,
  step: aStep({ index, state }),
})
const output = (index: number, data: string): FollowEvent => ({
  type: 'output',
  slice: 0,
  step: index,
  offset: 0,
  data,
})
const ended: FollowEvent = { type: 'slice', slice: aSlice({ state: 'failed' }) }

/** What a reader sees, in one word for each event. */
async function shown(events: readonly FollowEvent[]): Promise<string> {
  const words: string[] = []
  const view = inOrder({
    async event(event) {
      if (event.type === 'step') words.push(`${event.step.index}:${event.step.state}`)
      if (event.type === 'output') words.push(`${event.step}=${event.data.slice(0, 3)}`)
      if (event.type === 'slice') words.push('slice')
    },
    async end() {
      words.push('end')
    },
    close: () => undefined,
  })
  for (const event of events) await view.event(event)
  await view.end(aBuild({}))
  return words.join(' ')
}

t.test('late output of a step comes before the heading of the next', async (t) => {
  const events = [
    step(0, 'running'),
    step(1, 'running'),
    output(1, 'b'),
    step(1, 'succeeded'),
    step(2, 'running'),
    output(0, 'a'),
    step(0, 'succeeded'),
    output(2, 'c'),
  ]
  t.equal(
    await shown(events),
    '0:running 0=a 0:succeeded 1:running 1=b 1:succeeded 2:running 2=c end',
  )
})

t.test('a step in the background holds back no other', async (t) => {
  const server = aStep({ index: 0, state: 'running', background: true })
  const events = [{ type: 'step' as const, slice: 0, step: server }, step(1, 'running')]
  t.equal(
    await shown([...events, output(0, 'a'), output(1, 'b'), output(0, 'c')]),
    '0:running 1:running 0=a 1=b 0=c end',
  )
})

t.test('a slice that ends shows all that was held, and so does the end of the build', async (t) => {
  const events = [step(0, 'running'), step(1, 'running'), output(1, 'b')]
  t.equal(await shown([...events, ended]), '0:running 1:running 1=b slice end')
  t.equal(await shown(events), '0:running 1:running 1=b end')
})

t.test('what is held has a bound', async (t) => {
  const much = output(1, 'b'.repeat(600_000))
  const events = [step(0, 'running'), step(1, 'running'), much, step(0, 'succeeded')]
  t.equal(await shown(events), '0:running 1:running 1=bbb 0:succeeded end')
})
