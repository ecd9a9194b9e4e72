/** D15: Nomads of long ago. */
import t from 'tap'
import { startNomad } from './support/nomad.ts'
import { startReporting } from './support/reporter.ts'
import { eventually } from './support/sink.ts'

const OLD_NODE = {
  ID: 'node-1',
  Name: 'i-1',
  Status: 'ready',
  Drain: false,
  Resources: { CPU: 8000, MemoryMB: 16_000, DiskMB: 90_000, IOPS: 7 },
  Reserved: { CPU: 1000, MemoryMB: 1000, DiskMB: 1000, IOPS: 0 },
}
const OLD_ALLOCATIONS = [
  {
    ID: 'a',
    ClientStatus: 'running',
    Resources: { CPU: 2000, MemoryMB: 3000, DiskMB: 300, IOPS: 1 },
  },
  {
    ID: 'b',
    ClientStatus: 'complete',
    Resources: { CPU: 2000, MemoryMB: 3000, DiskMB: 300, IOPS: 1 },
  },
]

for (const version of ['0.5.6', '0.8.7']) {
  t.test(`D15: Nomad ${version} is asked in its own way`, async (t) => {
    const nomad = await startNomad(t, {
      '/v1/agent/self': {
        json: { config: { Version: version }, stats: { client: { node_id: 'node-1' } } },
      },
      '/v1/node/': { json: OLD_NODE },
      '/v1/node/node-1/allocations': { json: OLD_ALLOCATIONS },
    })
    const { sink } = await startReporting(t, ['server', 'client'], { address: nomad.address })
    const all = () => sink.datagrams.join('\n')
    await eventually(() => /resources/.test(all()) && /jobs\.dead/.test(all()), 'both modes')
    for (const [gauge, value] of Object.entries({
      'total.cpu': 8000,
      'used.cpu': 2000,
      'available.cpu': 5000,
      'available.memory': 12_000,
      'available.disk': 88_700,
      'total.iops': 7,
      'available.iops': 6,
    })) {
      t.match(all(), `resources.${gauge}:${value}|g|#drain:false,status:ready`)
    }
    const asked = nomad.requests.map(({ url }) => new URL(url ?? '', 'http://nomad'))
    t.notOk(asked.some(({ searchParams }) => searchParams.get('namespace') === '*'))
    t.notOk(asked.some(({ pathname }) => pathname === '/v1/allocations'))
  })
}

t.test('D15: Nomad of today is asked for little', async (t) => {
  const nomad = await startNomad(t)
  const { sink } = await startReporting(t, ['server', 'client'], { address: nomad.address })
  await eventually(() => /resources/.test(sink.datagrams.join('\n')), 'the client')
  const asked = nomad.requests.map(({ url }) => new URL(url ?? '', 'http://nomad'))
  const find = (path: string) => asked.find(({ pathname }) => pathname === path)?.searchParams
  t.equal(find('/v1/jobs')?.get('namespace'), '*')
  t.equal(find('/v1/jobs')?.get('stale'), 'true')
  t.match(
    find('/v1/allocations')?.get('filter'),
    'NodeID == `node-1` and ClientStatus != `complete`',
  )
  t.equal(find('/v1/allocations')?.get('task_states'), 'false')
})
