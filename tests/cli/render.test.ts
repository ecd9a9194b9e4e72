import t from 'tap'
import type { FollowEvent } from '../../src/model/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { inOrder } from '../../src/cli/render/in-order.ts'
import { createJsonRenderer } from '../../src/cli/render/json.ts'
import { createLiveRenderer, drawBuild } from '../../src/cli/render/live.ts'
import { createPlainRenderer } from '../../src/cli/render/plain.ts'
import { NO_PROGRESS, applyEvent, tailOf } from '../../src/cli/render/progress.ts'
import { toTable } from '../../src/cli/render/table.ts'
import { createPalette, formatSeconds, formatVerdict } from '../../src/cli/render/text.ts'
import { aBuild, aSlice, aStep } from '../support/builds.ts'

function aStream() {
  let text = ''
  return {
    write(chunk: string | Uint8Array) {
      text += Buffer.from(chunk as string).toString('utf8')
      return true
    },
    once: () => undefined,
    off: () => undefined,
    columns: 60,
    rows: 10,
    text: () => text,
  }
}

const output = (data: string, step = 0): FollowEvent => ({
  type: 'output',
  slice: 0,
  step,
  offset: 0,
  data: Buffer.from(data).toString('base64'),
})

const failed = aBuild({
  state: 'failed',
  reason: 'exit_code',
  seconds: 2.14,
  slices: [
    aSlice({
      state: 'failed',
      reason: 'exit_code',
      detail: 'test ended with exit code 3.',
      steps: [aStep({ state: 'failed', exit_code: 3, seconds: 1 })],
    }),
  ],
})

t.test('the plain view prefixes whole lines, however the bytes arrive', async (t) => {
  const stdout = aStream()
  const view = createPlainRenderer(stdout)
  await view.event({ type: 'step', slice: 0, step: aStep({ state: 'running' }) })
  await view.event(output('one\ntw'))
  await view.event(output('o\nthree'))
  const step = aStep({ state: 'failed', exit_code: 3, seconds: 1 })
  await view.event({ type: 'step', slice: 0, step })
  await view.event({ type: 'step', slice: 0, step })
  await view.end(failed)
  t.equal(
    stdout.text(),
    [
      '[0] -- test',
      '[0] one',
      '[0] two',
      '[0] three',
      '[0] -- test: failed (1.0 s, exit code 3)',
      'build 1 failed: 1 slice, 2.1 s',
      '',
    ].join('\n'),
  )
})

t.test('the plain view says why a slice waits, once', async (t) => {
  const stdout = aStream()
  const view = createPlainRenderer(stdout)
  const { steps: _, ...slice } = aSlice({ state: 'placing', detail: 'waits for memory' })
  await view.event({ type: 'slice', slice })
  await view.event({ type: 'slice', slice })
  t.equal(stdout.text(), '[0] == placing: waits for memory\n')
})

t.test('the last JSON line is the build with its slices and steps', async (t) => {
  const stdout = aStream()
  const view = createJsonRenderer(stdout)
  await view.event({ type: 'build', build: aBuild() })
  await view.event({ type: 'build', build: failed })
  await view.end(failed)
  const lines = stdout.text().trimEnd().split('\n')
  const [first, last] = lines.map((line): unknown => JSON.parse(line))
  t.equal(lines.length, 2)
  t.same(first, { type: 'submitted', id: failed.id, number: 1 })
  t.match(last, {
    type: 'build',
    state: 'failed',
    reason: 'exit_code',
    slices: [{ index: 0, state: 'failed', steps: [{ name: 'test', exit_code: 3 }] }],
  })
})

t.test('the live view keeps one line per slice and ends with what failed', async (t) => {
  const stdout = aStream()
  const clock = new TestClock()
  const view = createLiveRenderer({ stdout, clock, palette: createPalette(false) })
  await view.event({ type: 'build', build: aBuild() })
  await clock.tick(10)
  await view.event(output('a line\n\u001B[2Jlast words\n'))
  await view.end(failed)
  view.close()
  await clock.tick(1000)
  const text = stdout.text()
  t.match(text, 'build 1 acme/shop test')
  t.match(text, 'slice 0 failed in "test": A step ended with a non-zero exit code: test')
  t.match(text, '  | last words')
  t.match(text, /build 1 failed: 1 slice, 2\.1 s\n/)
  t.ok(text.endsWith('\u001B[?25h'), 'the cursor is shown again')
})

t.test('more slices than rows: the busy ones stay in sight', (t) => {
  const slices = Array.from({ length: 50 }, (_, index) =>
    aSlice({ index, state: index < 48 ? 'succeeded' : 'running' }),
  )
  const size = { columns: 60, rows: 10 }
  const options = { palette: createPalette(false), notices: [], ...size, elapsedMs: () => null }
  const lines = drawBuild(aBuild({ slices }), options)
  t.ok(lines.length < 10)
  t.match(lines[1], /48 {2}running/)
  t.match(lines.at(-1), 'and 44 more')
  t.end()
})

t.test('the fold keeps the end of an output, not all of it', (t) => {
  let progress = applyEvent(NO_PROGRESS, { type: 'build', build: aBuild() })
  for (let i = 0; i < 100; i++) progress = applyEvent(progress, output('x'.repeat(1000)))
  progress = applyEvent(progress, output('the end'))
  const tail = tailOf(progress, 0, 0)
  t.ok(tail.length <= 16 * 1024)
  t.ok(tail.toString().endsWith('the end'))
  t.equal(tailOf(progress, 0, 7).length, 0)
  t.end()
})

t.test('texts', (t) => {
  t.equal(formatSeconds(2.14), '2.1 s')
  t.equal(formatSeconds(65), '1 min 5 s')
  t.equal(toTable(['A', 'B'], [['long', 'x']]), 'A     B\nlong  x\n')
  t.end()
})

t.test('another attempt at a slice says everything anew, under its own notice', async (t) => {
  const stdout = aStream()
  const view = inOrder(createPlainRenderer(stdout))
  const { steps: _steps, notices: _notices, ...slice } = aSlice()
  const running = aStep({ state: 'running' })
  await view.event({ type: 'slice', slice })
  await view.event({ type: 'step', slice: 0, step: running })
  await view.event(output('cut sho'))
  const text = 'node lost, tried again (2 of 3)'
  await view.event({ type: 'notice', slice: 0, text })
  await view.event({ type: 'slice', slice: { ...slice, epoch: 2, state: 'waiting_run' } })
  await view.event({ type: 'step', slice: 0, step: aStep() })
  await view.event({ type: 'step', slice: 0, step: running })
  await view.event(output('whole\n'))
  t.equal(
    stdout.text(),
    ['[0] -- test', `[0] !! ${text}`, '[0] cut sho', '[0] -- test', '[0] whole', ''].join('\n'),
  )
  let progress = applyEvent(NO_PROGRESS, { type: 'build', build: aBuild() })
  progress = applyEvent(progress, output('of the first attempt'))
  progress = applyEvent(progress, { type: 'notice', slice: 0, text })
  progress = applyEvent(progress, { type: 'slice', slice: { ...slice, epoch: 2 } })
  t.equal(tailOf(progress, 0, 0).length, 0)
  const size = { columns: 60, rows: 10 }
  const { notices } = progress
  const options = { palette: createPalette(false), notices, ...size, elapsedMs: () => null }
  t.equal(drawBuild(aBuild(), options).at(-1), `  slice 0: ${text}`)
})

t.test('a rerun says of what it is one, and how many slices it has', (t) => {
  const rerun = aBuild({ number: 7, rerun_of: 5, parallelism: 4, state: 'succeeded', seconds: 1 })
  t.equal(formatVerdict(rerun), 'build 7 succeeded: 1 of 4 slices, 1.0 s (rerun of build 5)')
  t.end()
})
