import t from 'tap'
import { demandAnswer, type DemandAnswer, type DemandEvent } from '../../src/model/index.ts'
import { call, startScripted } from '../support/scripted-api.ts'

const DEMAND: DemandAnswer = {
  at: '2026-01-01T00:00:00.000Z',
  classes: [
    {
      resource_class: 'medium',
      pool: 'linux',
      node_class: 'linux-64bit',
      reservation: { cpu_mhz: 5000, memory_mib: 8704 },
      waiting: 1,
      placing: 0,
      running: 0,
      oldest_waiting_seconds: 3.5,
      longest_running_seconds: 0,
    },
  ],
  slices: [
    {
      slice: '5a4ea06b7d560d000116830f-0',
      epoch: 1,
      resource_class: 'medium',
      priority: 50,
      state: 'waiting',
      node_id: null,
      age_seconds: 3.5,
      predicted: { p50: 60, p80: 70, p95: 90, samples: 12 },
    },
  ],
  omitted: 0,
}

async function* noEvents(): AsyncGenerator<DemandEvent> {}

t.test('the demand is told, with its slices or without', async (t) => {
  const asked: unknown[] = []
  const read = async (options: { slices: boolean }) => {
    asked.push(options)
    return DEMAND
  }
  const { api } = await startScripted(t, { demand: { read, follow: noEvents } })
  const { status, json } = await call(api, 'GET', '/api/v1/demand')
  t.equal(status, 200)
  t.same(demandAnswer.parse(json), DEMAND)
  await call(api, 'GET', '/api/v1/demand?slices=false')
  t.same(asked, [{ slices: true }, { slices: false }])
  t.equal((await call(api, 'GET', '/api/v1/demand?slices=no')).status, 400)
})

t.test('the demand is followed as Server-Sent Events', async (t) => {
  async function* follow(): AsyncGenerator<DemandEvent> {
    yield { type: 'demand', demand: DEMAND }
    yield { type: 'changes', at: DEMAND.at, classes: [], slices: [], gone: ['x'] }
  }
  const read = async () => DEMAND
  const { api } = await startScripted(t, { demand: { read, follow } })
  const { status, headers, text } = await call(api, 'GET', '/api/v1/demand/follow')
  t.equal(status, 200)
  t.match(headers.get('content-type'), /^text\/event-stream/)
  t.match(text, /^event: demand\ndata: \{"type":"demand"/)
  t.match(text, /\n\nevent: changes\ndata: .*"gone":\["x"\]/)
})

t.test('nobody without a token looks at the queue', async (t) => {
  const options = { tokens: ['0123456789abcdef'] }
  const { api } = await startScripted(t, {}, options)
  t.equal((await call(api, 'GET', '/api/v1/demand')).status, 401)
  t.equal((await call(api, 'GET', '/api/v1/demand/follow')).status, 401)
})
