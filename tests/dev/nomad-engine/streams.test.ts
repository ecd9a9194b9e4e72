/** Answers that take their time: events, and readers that do not keep up. */
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { once } from 'node:events'
import t from 'tap'
import { TestClock } from '../../../src/platform/index.ts'
import { aJob, aSimulatedJob, eventually, startTestEngine, untilStatus } from './support.ts'

t.test('a quiet stream shows every half minute that it is alive', async (t) => {
  const clock = new TestClock()
  const talk = await startTestEngine(t, { clock, nodes: [] })
  const abort = new AbortController()
  const stream = await talk.fetch('/v1/event/stream?topic=Job', { signal: abort.signal })
  const reader = stream.body?.getReader()
  const read = async () => Buffer.from((await reader?.read())?.value ?? []).toString()
  t.equal(await read(), '{}\n')
  const next = read()
  await clock.tick(30_000)
  t.equal(await next, '{}\n')
  abort.abort()
})

t.test(
  'B14: a reader that does not keep up is cut off, and starts anew with what is left',
  async (t) => {
    const talk = await startTestEngine(t, { nodes: [] })
    const url = new URL('/v1/event/stream', talk.engine.url)
    const pending = request(url, { agent: false }).end()
    const [response] = (await once(pending, 'response')) as [IncomingMessage]
    let ended = false
    let bytes = 0
    response.on('end', () => (ended = true))
    response.on('error', () => (ended = true))
    response.pause()
    // Far more than the buffer and all sockets in between can hold.
    const text = 'x'.repeat(100_000)
    for (let count = 0; count < 250; count++) {
      await talk.register(aSimulatedJob(`job-${count}`, {}, { job: { Meta: { text } } }))
    }
    response.on('data', (chunk: Buffer) => (bytes += chunk.length))
    response.resume()
    await eventually(() => ended, 'the stream to end')
    t.ok(bytes < 250 * text.length, `it got ${bytes} bytes`)
    const again = await talk.fetch('/v1/event/stream?index=1', {
      signal: AbortSignal.timeout(5000),
    })
    const first = await again.body?.getReader().read()
    t.ok(first?.value, 'the closest that is left')
  },
)

t.test('closing the engine lets every waiting reader go', async (t) => {
  const talk = await startTestEngine(t)
  const { JobModifyIndex } = await talk.register(aJob('job', 'exec sleep 60'))
  const { ID } = await untilStatus(talk, 'job', 'running')
  const waiting = [
    talk.fetch(`/v1/evaluations?index=${JobModifyIndex + 1000}`),
    talk.fetch('/v1/event/stream').then((response) => response.text()),
    talk
      .fetch(`/v1/client/fs/logs/${ID}?task=main&type=stdout&follow=true`)
      .then((response) => response.text()),
  ]
  const begun = performance.now()
  const settled = Promise.allSettled(waiting)
  await talk.engine.close({ stopTasks: true })
  await settled
  t.ok(performance.now() - begun < 4000)
})

t.test(
  'a call can be intercepted: lost after it was committed, or answered otherwise',
  async (t) => {
    let mode = 'pass'
    const talk = await startTestEngine(t, {
      nodes: [],
      async intercept(call, next) {
        if (call.method !== 'PUT' || mode === 'pass') return next()
        if (mode === 'refuse') return { status: 500, headers: {}, body: 'No cluster leader' }
        await next()
        return { status: 500, headers: {}, body: 'rpc error: EOF' }
      },
    })
    const status = async (job: string) => (await talk.fetch(`/v1/job/${job}`)).status
    mode = 'refuse'
    await t.rejects(talk.register(aSimulatedJob('refused')), /No cluster leader/)
    t.equal(await status('refused'), 404)
    mode = 'lose'
    await t.rejects(talk.register(aSimulatedJob('lost')), /EOF/)
    t.equal(await status('lost'), 200)
  },
)
