import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { awaitReady, waitOf } from '../../../src/build-agent/executors/docker/readiness.ts'
import { systemClock, TestClock } from '../../../src/platform/index.ts'

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid'
/** As the kernel writes them: a port that is listened on, and one that is connected to. */
const table = (...ports: number[]) =>
  [
    HEAD,
    ...ports.map(
      (port, at) => `   ${at}: 0100007F:${hex(port)} 00000000:0000 0A 00000000:00000000`,
    ),
    `   9: 0100007F:${hex(9999)} 0100007F:${hex(5432)} 01 00000000:00000000`,
  ].join('\n')
const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')

/** A service as the engine and the kernel show it, look by look; the last one stays. */
function aService(
  t: Test,
  looks: readonly { health?: string; isRunning?: boolean; open?: number[]; open6?: number[] }[],
  { ports = ['5432/tcp', '53/udp'], limitMs = 10_000 } = {},
) {
  const proc = t.testdir()
  const clock = new TestClock()
  const lines: string[] = []
  let look = 0
  const service = { name: 'db', container: 'c', ports, limitMs }
  const net = join(proc, '7/net')
  mkdirSync(net, { recursive: true })
  const engine = {
    container() {
      const now = looks[Math.min(look++, looks.length - 1)]
      writeFileSync(join(net, 'tcp'), table(...(now?.open ?? [])))
      writeFileSync(join(net, 'tcp6'), table(...(now?.open6 ?? [])))
      return Promise.resolve({
        isRunning: now?.isRunning ?? true,
        exitCode: 0,
        isOutOfMemory: false,
        health: now?.health ?? null,
        error: '',
        pid: 8,
        folder: null,
      })
    },
  }
  const { signal } = new AbortController()
  const deps = {
    engine,
    networkPid: 7,
    clock,
    say: (line: string) => lines.push(line),
    signal,
    proc,
  }
  return {
    lines,
    async run(more: Partial<Parameters<typeof awaitReady>[1]> = {}) {
      const run = { isOver: false }
      const over = awaitReady(service, { ...deps, ...more }).finally(() => (run.isOver = true))
      while (!run.isOver) {
        await new Promise<void>((resolve) => void systemClock.after(1, resolve))
        await clock.tick(250)
      }
      await over
      return lines
    },
  }
}

t.test('B-75: a service is ready when all of its TCP ports are listened on', async (t) => {
  const ports = ['5432/tcp', '8080/tcp', '53/udp']
  const lines = await aService(t, [{}, { open: [5432] }, { open: [5432], open6: [8080] }], {
    ports,
  }).run()
  t.match(lines, [/^db: ready after \d+\.\d s$/])
})

t.test('B-75: a health check has the say, whatever is listened on', async (t) => {
  const looks = [
    { health: 'starting', open: [5432] },
    { health: 'unhealthy' },
    { health: 'healthy' },
  ]
  t.match(await aService(t, looks).run(), [/^db: ready after/])
  const sick = [{ health: 'unhealthy', open: [5432] }]
  t.match(await aService(t, sick, { limitMs: 2000 }).run(), [
    'db: not ready after 2s: its health check says unhealthy. Going on',
  ])
})

t.test('B-75: what can not become ready is not waited for', async (t) => {
  t.same(await aService(t, [{ isRunning: false }]).run(), ['db: not waited for: it has ended'])
  t.same(await aService(t, [{}], { ports: ['53/udp'] }).run(), [
    'db: not waited for: its image has no health check and announces no TCP port',
  ])
  t.same(await aService(t, [{}]).run({ networkPid: null }), [
    'db: not waited for: its network can not be seen from here',
  ])
})

t.test('B-75: the wait ends with its time, and with the job', async (t) => {
  t.same(await aService(t, [{ open: [80] }], { limitMs: 1000 }).run(), [
    'db: not ready after 1s: nobody listens on port 5432. Going on',
  ])
  t.same(await aService(t, [{}]).run({ signal: AbortSignal.abort() }), [])
})

t.test('B-75: nothing is waited for unless the service asks for it', (t) => {
  const of = (wait?: string) =>
    waitOf({ image: 'db', environment: wait === undefined ? {} : { CARAVAN_SERVICE_WAIT: wait } })
  t.equal(of(), 0)
  t.equal(of(''), 0)
  t.equal(of('1m30s'), 90_000)
  for (const wrong of ['soon', '30', '11m', '-1s']) {
    t.throws(() => of(wrong), { code: 'INPUT_INVALID', message: /^CARAVAN_SERVICE_WAIT of db: / })
  }
  t.end()
})
