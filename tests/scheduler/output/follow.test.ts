import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import type { BuildView, FollowEvent, StepView } from '../../../src/model/index.ts'
import { followEvent } from '../../../src/model/index.ts'
import { aBuild, aSlice, aStep } from '../../support/builds.ts'
import { describeEvent, FollowedBuild } from '../../support/followed-build.ts'
import { until } from '../../support/serve.ts'

const live = new AbortController().signal

function withSteps(steps: Partial<StepView>[], changes: Partial<BuildView> = {}): BuildView {
  const views = steps.map((step, index) => aStep({ index, ...step }))
  return aBuild({ slices: [aSlice({ steps: views })], ...changes })
}

function over(steps: Partial<StepView>[]): BuildView {
  const views = steps.map((step, index) => aStep({ index, ...step }))
  const slice = aSlice({ state: 'succeeded', reason: 'succeeded', steps: views })
  return aBuild({ state: 'succeeded', reason: 'succeeded', slices: [slice] })
}

/** Reads in the background; `lines` fills as events come. */
function collect(events: AsyncIterable<FollowEvent>) {
  const lines: string[] = []
  const run = async () => {
    for await (const event of events) lines.push(describeEvent(followEvent.parse(event)))
  }
  return { lines, done: run() }
}

t.test('a follower is told every state, each output in its place, and the end last', async (t) => {
  const build = new FollowedBuild(t, withSteps([{}, {}], { state: 'queued' }))
  const { lines, done } = collect(build.follow('1', { output: true }, live))
  await until(() => lines.length === 1)
  build.change(withSteps([{ state: 'running' }, {}]))
  await until(() => lines.includes('step 0/0 running'))
  await build.write('hello ')
  await until(() => lines.some((line) => line.includes('hello')))
  await build.write('world')
  await until(() => lines.some((line) => line.includes('world')))
  build.announce({ kind: 'notice', slice: 0, text: 'careful' })
  await until(() => lines.includes('notice 0 careful'))
  build.change(over([{ state: 'succeeded', seconds: 1 }, { state: 'skipped' }]))
  await done
  t.same(lines, [
    'build queued',
    'step 0/0 running',
    'build running',
    'output 0/0 @0 hello ',
    'output 0/0 @6 world',
    'notice 0 careful',
    'step 0/0 succeeded',
    'step 0/1 skipped',
    'slice 0 succeeded epoch 1',
    'build succeeded',
  ])
  t.equal(build.listenerCount, 0, 'nothing is left listening')
})

t.test('the end of a step is told when its last byte is here, not before', async (t) => {
  const build = new FollowedBuild(t, withSteps([{ state: 'running' }, {}]))
  const { lines, done } = collect(build.follow('1', { output: true }, live))
  await until(() => lines.length === 1)
  const ended = { state: 'succeeded', exit_code: 0, seconds: 1 } as const
  const next = { state: 'running' } as const
  build.change(withSteps([{ ...ended, output: { length: 5, have: 0 } }, next]))
  await until(() => lines.includes('step 0/1 running'))
  build.view = withSteps([{ ...ended, output: { length: 5, have: 5 } }, next])
  await build.write('hello')
  await until(() => lines.includes('step 0/0 succeeded'))
  build.change(over([{ ...ended, output: { length: 5, have: 5 } }, ended]))
  await done
  const told = lines.filter((line) => / 0\/0 /.test(line))
  t.same(told, ['output 0/0 @0 hello', 'step 0/0 succeeded'])
})

t.test('output of a step waits for its start and comes before its end', async (t) => {
  const build = new FollowedBuild(t, withSteps([{}]))
  const { lines, done } = collect(build.follow(build.view.id, { output: true }, live))
  await until(() => lines.length === 1)
  await build.write('early')
  build.announce({ kind: 'notice', slice: 0, text: 'seen' })
  await until(() => lines.length === 2)
  t.same(lines, ['build running', 'notice 0 seen'], 'its step has not begun yet')
  build.change(over([{ state: 'failed', exit_code: 1, seconds: 0.001 }]))
  await done
  t.same(lines.slice(2), [
    'step 0/0 running',
    'output 0/0 @0 early',
    'step 0/0 failed',
    'slice 0 succeeded epoch 1',
    'build succeeded',
  ])
})

t.test('whoever comes late sees all output, also of a build that is over', async (t) => {
  const build = new FollowedBuild(t, over([{ state: 'succeeded' }, { state: 'succeeded' }]))
  await build.write('first')
  await build.write('second', { step: 1 })
  const { lines, done } = collect(build.follow('1', { output: true }, live))
  await done
  t.same(lines, [
    'build succeeded',
    'output 0/0 @0 first',
    'output 0/1 @0 second',
    'build succeeded',
  ])
  const silent = collect(build.follow('1', { output: false }, live))
  await silent.done
  t.same(silent.lines, ['build succeeded', 'build succeeded'])
})

t.test('a new epoch starts its output over, and the old one is not told any more', async (t) => {
  const build = new FollowedBuild(t, withSteps([{ state: 'running' }]))
  const { lines, done } = collect(build.follow('1', { output: true }, live))
  await build.write('old')
  await until(() => lines.length === 2)
  const again = aSlice({ epoch: 2, state: 'running', steps: [aStep({ state: 'running' })] })
  await build.write('too soon', { epoch: 2 })
  build.change(aBuild({ slices: [again] }))
  await until(() => lines.some((line) => line.includes('too soon')))
  await build.write(' and too late')
  const end = aSlice({ epoch: 2, state: 'failed', steps: [aStep({ state: 'failed', seconds: 1 })] })
  build.change(aBuild({ state: 'failed', slices: [end] }))
  await done
  t.same(lines, [
    'build running',
    'output 0/0 @0 old',
    'slice 0 running epoch 2',
    'output 0/0 @0 too soon',
    'step 0/0 failed',
    'slice 0 failed epoch 2',
    'build failed',
  ])
})

t.test('much output comes whole, in small events, to fast and slow readers alike', async (t) => {
  const steps = [{ state: 'running' }, { state: 'running' }] as const
  const build = new FollowedBuild(t, withSteps([...steps]))
  const content = [randomBytes(3_000_000), randomBytes(1_500_000)]
  const write = async () => {
    for (let at = 0; at < 3_000_000; at += 200_000) {
      for (const [step, bytes] of content.entries()) {
        await build.write(bytes.subarray(at, at + 200_000), { step })
      }
    }
    build.change(over(steps.map(() => ({ state: 'succeeded', seconds: 1 }))))
  }
  const read = async (pauseEvery: number) => {
    const hashes = content.map(() => createHash('sha256'))
    let count = 0
    for await (const event of build.follow('1', { output: true }, live)) {
      if (event.type !== 'output') continue
      const bytes = Buffer.from(event.data, 'base64')
      t.ok(bytes.length <= 64 * 1024)
      hashes[event.step]?.update(bytes)
      if (++count % pauseEvery === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return hashes.map((hash) => hash.digest('hex'))
  }
  const [, ...readers] = await Promise.all([write(), read(1000), read(3)])
  const expected = content.map((bytes) => createHash('sha256').update(bytes).digest('hex'))
  for (const hashes of readers) t.same(hashes, expected)
})

t.test('B63: a reader that does not read costs neither memory nor looks', async (t) => {
  const build = new FollowedBuild(t, withSteps([{ state: 'running' }]))
  const events = build.follow('1', { output: true }, live)[Symbol.asyncIterator]()
  await events.next()
  const readCount = build.readCount
  for (let index = 0; index < 3000; index += 1) {
    build.announce({ kind: 'step', slice: 0, step: 0 })
    build.announce({ kind: 'notice', slice: 0, text: `notice ${index}` })
  }
  t.equal(build.readCount, readCount)
  build.change(over([{ state: 'succeeded', seconds: 1 }]))
  const lines: string[] = []
  for (let next = await events.next(); next.done !== true; next = await events.next()) {
    lines.push(describeEvent(next.value))
  }
  t.equal(lines.filter((line) => line.startsWith('notice 0 notice')).length, 1000)
  t.ok(lines.includes('notice 0 2000 more notices came faster than they were read'))
  t.equal(lines.at(-1), 'build succeeded')
})

t.test('an abort ends the stream at once and leaves nothing behind', async (t) => {
  const build = new FollowedBuild(t, withSteps([{ state: 'running' }]))
  const stop = new AbortController()
  const { lines, done } = collect(build.follow('1', { output: true }, stop.signal))
  await until(() => lines.length === 1)
  stop.abort()
  await done
  t.same(lines, ['build running'])
  t.equal(build.listenerCount, 0)
})

t.test('a reader that leaves in the middle leaves nothing behind', async (t) => {
  const build = new FollowedBuild(t, withSteps([{ state: 'running' }]))
  await build.write(randomBytes(1_000_000))
  for await (const event of build.follow('1', { output: true }, live)) {
    if (event.type === 'output') break
  }
  t.equal(build.listenerCount, 0)
})

t.test('a build that is not there is refused', async (t) => {
  const build = new FollowedBuild(t)
  const events = build.follow('7', { output: true }, live)
  await t.rejects(collect(events).done, { code: 'NOT_FOUND', message: 'there is no build 7' })
})
