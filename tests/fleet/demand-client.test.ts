import t from 'tap'
import { createDemandClient, toDemand } from '../../src/fleet/demand-client.ts'
import type { DemandAnswer, DemandClass, DemandSlice } from '../../src/model/index.ts'
import { createHttpClient, systemClock } from '../../src/platform/index.ts'
import { startScripted } from '../support/scripted-api.ts'
import { serve } from '../support/serve.ts'

function aClass(more: Partial<DemandClass> = {}): DemandClass {
  return {
    resource_class: 'medium',
    pool: 'linux',
    node_class: 'linux-64bit',
    reservation: { cpu_mhz: 5000, memory_mib: 8704 },
    waiting: 0,
    placing: 0,
    running: 0,
    oldest_waiting_seconds: 0,
    longest_running_seconds: 0,
    ...more,
  }
}

function aSlice(index: number, more: Partial<DemandSlice> = {}): DemandSlice {
  return {
    slice: `5a4ea06b7d560d000116830f-${index}`,
    epoch: 1,
    resource_class: 'medium',
    priority: 50,
    state: 'waiting',
    node_id: null,
    age_seconds: 1,
    predicted: null,
    ...more,
  }
}

const ANSWER: DemandAnswer = {
  at: '2026-01-01T00:00:00.000Z',
  classes: [aClass({ waiting: 1, placing: 2, running: 1, oldest_waiting_seconds: 9 })],
  slices: [
    aSlice(0, {
      state: 'running',
      node_id: 'n1',
      age_seconds: 60,
      predicted: { p50: 5, p80: 8, p95: 9, samples: 20 },
    }),
    aSlice(1, { state: 'placing', node_id: 'n2', age_seconds: 9 }),
    aSlice(2, { state: 'placing', age_seconds: 4 }),
    aSlice(3, { age_seconds: 3 }),
  ],
  omitted: 0,
}

t.test('slices with a node are placed, all others wait for one', (t) => {
  const need = { cpuMhz: 5000, memoryMiB: 8704 }
  t.same(toDemand(ANSWER), {
    classes: [
      {
        name: 'medium',
        pool: 'linux',
        need,
        waiting: 2,
        oldestMs: 9000,
      },
    ],
    placed: [
      { slice: '5a4ea06b7d560d000116830f-0', nodeId: 'n1', need, remainingMs: 8000 },
      { slice: '5a4ea06b7d560d000116830f-1', nodeId: 'n2', need, remainingMs: null },
    ],
  })
  t.end()
})

t.test('a class tells which pools stand in for its own; older servers tell of none', (t) => {
  const poolsOf = (more: Partial<DemandClass>) =>
    toDemand({ ...ANSWER, classes: [aClass(more)] }).classes[0]
  t.match(poolsOf({ pools: ['linux', 'spot'] }), { pool: 'linux', standIns: ['spot'] })
  t.notOk('standIns' in (poolsOf({ pools: ['linux'] }) ?? {}))
  t.notOk('standIns' in (poolsOf({}) ?? {}))
  t.end()
})

t.test('slices beyond the list count, too, and classes that are not known need nothing', (t) => {
  const classes = [aClass({ waiting: 30_000, oldest_waiting_seconds: 500, reservation: null })]
  const [demand] = toDemand({ ...ANSWER, classes, slices: [aSlice(0)], omitted: 29_999 }).classes
  t.match(demand, { waiting: 30_000, oldestMs: 500_000, need: null })
  t.end()
})

t.test('a server tells it over HTTP', async (t) => {
  const read = async () => ANSWER
  const { api } = await startScripted(t, {
    demand: {
      read,
      follow() {
        throw new Error('nobody follows')
      },
    },
  })
  const http = createHttpClient({ baseUrl: api.url, clock: systemClock })
  t.teardown(() => http.close())
  t.same(await createDemandClient(http, api.url).read(), toDemand(ANSWER))
})

t.test('what is no demand is an error, and never one that is empty', async (t) => {
  const { api } = await startScripted(t, {}, { tokens: ['0123456789abcdef'] })
  const http = createHttpClient({ baseUrl: api.url, clock: systemClock })
  t.teardown(() => http.close())
  await t.rejects(createDemandClient(http, api.url).read(), { message: /one with the role read/ })
  const page = await serve(t, (_request, response) => response.end('<html></html>'))
  const other = createHttpClient({ baseUrl: page, clock: systemClock })
  t.teardown(() => other.close())
  await t.rejects(createDemandClient(other, page).read(), { code: 'SERVER_ERROR' })
})
