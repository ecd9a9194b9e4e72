/** What the way to the statsd server may do. */
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import t, { type Test } from 'tap'
import { createSender, type SenderOptions } from '../../src/metrics/sender.ts'
import type { Channel, Destination } from '../../src/metrics/statsd.ts'
import { systemClock, TestClock } from '../../src/platform/index.ts'
import { aSocketPath } from '../support/socket-path.ts'
import { eventually, startSink } from './support/sink.ts'

const noLookup = () => Promise.reject(new Error('no name is looked up here'))

function aSender(t: Test, options: Partial<SenderOptions> & Pick<SenderOptions, 'target'>) {
  const told: string[] = []
  const onFault = (what: string) => void told.push(what)
  const sender = createSender({ resolve: noLookup, clock: systemClock, onFault, ...options })
  t.teardown(() => sender.close())
  return { sender, told }
}

/** Channels that only write down what they are given. */
function recording() {
  const sent: [to: string, datagram: string][] = []
  const open = async (destination: Destination): Promise<Channel> => {
    const to = destination.kind === 'udp' ? destination.address : destination.path
    return { send: async (datagram) => void sent.push([to, datagram]), close: () => undefined }
  }
  return { sent, open }
}

t.test('D16: a host that has no address at the start', async (t) => {
  const clock = new TestClock()
  const { open, sent } = recording()
  let lookups = 0
  const resolve = async () => {
    lookups += 1
    if (clock.monotonic() < 40_000) throw new Error('getaddrinfo ENOTFOUND statsd')
    return '192.0.2.1'
  }
  const target = { kind: 'udp' as const, host: 'statsd', port: 8125 }
  const { sender, told } = aSender(t, { target, resolve, clock, open })
  for (let second = 0; second < 70; second++) {
    await sender.send(['a:1|g'])
    await clock.tick(1000)
  }
  t.ok(lookups <= 8, `${lookups} lookups in a minute`)
  t.match(told[0], /statsd:8125: .*ENOTFOUND/)
  t.equal(new Set(told).size, 1, 'in words that stay the same')
  t.ok(sent.length > 0, 'sends as soon as there is an address')
  t.equal(sender.counts.dropped + sent.length, 70)
})

t.test('D17: a host that moves', async (t) => {
  const clock = new TestClock()
  const { open, sent } = recording()
  const answers = ['192.0.2.1', '192.0.2.2']
  const resolve = async () => {
    const next = answers.shift()
    if (next === undefined) throw new Error('the name server is away')
    return next
  }
  const target = { kind: 'udp' as const, host: 'statsd', port: 8125 }
  const { sender } = aSender(t, { target, resolve, clock, open })
  for (let minute = 0; minute < 4; minute++) {
    await sender.send(['a:1|g'])
    await sender.send(['a:2|g'])
    await clock.tick(61_000)
  }
  const to = sent.map(([address]) => address.at(-1)).join('')
  t.equal(to, '11222222', 'the old address serves while no new one is to be had')
})

t.test('D18: nobody listens', async (t) => {
  const sink = await startSink(t)
  const other = createSender({
    target: { kind: 'udp', host: '127.0.0.1', port: 9 },
    resolve: noLookup,
    clock: systemClock,
    onFault: (what) => t.fail(what),
  })
  for (let poll = 0; poll < 10; poll++) {
    await other.send(['a:1|g'])
    await new Promise((resolve) => setImmediate(resolve))
  }
  await other.close()
  t.same(sink.datagrams, [])
  t.equal(other.counts.datagrams, 10)
})

t.test('D21: a datagram that the way does not take', async (t) => {
  const sink = await startSink(t)
  const target = { kind: 'udp' as const, host: '127.0.0.1', port: sink.port }
  const { sender, told } = aSender(t, { target, bytesMax: 70_000 })
  const lines = Array.from({ length: 7000 }, (_, at) => `a.${String(at).padStart(4, '0')}:1|g`)
  await sender.send(lines.slice(0, 40))
  await sink.next(1)
  await sender.send(lines)
  t.same(told, [], 'nothing is lost')
  await sender.send(lines.slice(0, 100))
  await eventually(() => (sink.datagrams.at(-1) ?? '').length <= 508, 'small ones from now on')
  t.ok(sink.datagrams.slice(1).every((each) => each.length <= 508 && /^a\..*\|g$/s.test(each)))
})

t.test('lines are dropped, not kept, while nothing is taken', async (t) => {
  const open = () => new Promise<Channel>(() => undefined)
  const target = { kind: 'udp' as const, host: '127.0.0.1', port: 9 }
  const told: string[] = []
  const onFault = (what: string) => void told.push(what)
  const sender = createSender({ target, open, resolve: noLookup, clock: systemClock, onFault })
  for (let at = 0; at < 30; at++) void sender.send(['a:1|g'])
  t.ok(sender.counts.dropped >= 13)
  t.match(told[0], /takes nothing any more/)
})

/** As the add-on for Unix sockets tells what went wrong. */
const failure = (code: string | number) => Object.assign(new Error(`send ${code}`), { code })

t.test('D19: a Unix socket that comes, goes and comes again', async (t) => {
  const sent: string[] = []
  let state: 'missing' | 'there' | 'replaced' = 'missing'
  let opened = 0
  const open = async (): Promise<Channel> => {
    if (state === 'missing') throw failure(-constants.errno.ENOENT)
    opened += 1
    const own = opened
    state = 'there'
    const send = async (datagram: string) => {
      // What a socket says whose other end was replaced by a new one at the same path.
      if (state !== 'there' || own !== opened) throw failure(-constants.errno.ECONNREFUSED)
      sent.push(datagram)
    }
    return { send, close: () => undefined }
  }
  const { sender, told } = aSender(t, { target: { kind: 'unix', path: '/run/dsd.socket' }, open })
  await sender.send(['a:1|g'])
  t.match(told, [/dsd\.socket: .*ENOENT/])
  state = 'replaced'
  await sender.send(['a:2|g'])
  t.same(sent, ['a:2|g'], 'as soon as it is there')
  state = 'replaced'
  await sender.send(['a:3|g'])
  await sender.send(['a:4|g'])
  t.same(sent, ['a:2|g', 'a:4|g'], 'one set is lost when the server restarts')
  t.match(told[1], /ECONNREFUSED/)
})

t.test('D20: a Unix socket whose reader does not read', async (t) => {
  const open = async (): Promise<Channel> => ({
    send: () => Promise.reject(failure(1)),
    close: () => undefined,
  })
  const { sender, told } = aSender(t, { target: { kind: 'unix', path: '/run/dsd.socket' }, open })
  for (let poll = 0; poll < 20; poll++) await sender.send(['a:1|g', 'b:1|g'])
  t.equal(sender.counts.dropped, 40, 'dropped and counted, not kept')
  t.match(told[0], /EAGAIN/)
})

const unix = loadUnix()

t.test('a real Unix socket that comes, goes and comes again', { skip: unix.skip }, async (t) => {
  const path = aSocketPath(t)
  const { sender } = aSender(t, { target: { kind: 'unix', path } })
  for (const round of [1, 2]) {
    const got: string[] = []
    const server = unix.createSocket('unix_dgram', (bytes) => void got.push(bytes.toString()))
    server.bind(path)
    await eventually(() => {
      void sender.send([`a:${round}|g`])
      return got.length > 0
    }, `round ${round}`)
    t.match(got[0], `a:${round}|g`)
    server.close()
    rmSync(path)
  }
})

interface UnixSocket {
  bind(path: string): void
  close(): void
}

function loadUnix(): {
  skip: string | false
  createSocket: (type: 'unix_dgram', onMessage: (bytes: Buffer) => void) => UnixSocket
} {
  try {
    const load = createRequire(import.meta.url)
    const { createSocket } = load('unix-dgram') as Pick<ReturnType<typeof loadUnix>, 'createSocket'>
    return { skip: false, createSocket }
  } catch (cause) {
    return {
      skip: 'unix-dgram is not built: it is optional, and needs a compiler and the headers of Node.js',
      createSocket: () => {
        throw cause
      },
    }
  }
}
