/** A cluster on emulated machines: they boot into nodes of the embedded Nomad engine, and take them along. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { connectCluster, startNomadEngine } from '../../../src/dev/index.ts'
import { silentLog } from '../../../src/platform/index.ts'
import { talkTo } from '../nomad-engine/support.ts'
import { GROUP, MINUTE, SECOND, aRegion, countingRandom, makeGroup, putHook } from './support.ts'

interface Node {
  ID: string
  Name: string
  Status: string
  Attributes: Record<string, string>
}

async function aCluster(t: Test) {
  const region = aRegion(t)
  const dataDir = mkdtempSync(join(tmpdir(), 'aws-cluster-'))
  const engine = await startNomadEngine({
    port: 0,
    dataDir,
    clock: region.clock,
    random: countingRandom(2),
    log: silentLog,
    environment: {},
    nodes: [],
  })
  const cluster = connectCluster({
    aws: region.aws,
    engine,
    describe: ({ zone }) => ({ cpuMhz: 2000, memoryMiB: 4096, meta: { zone } }),
  })
  t.teardown(async () => {
    cluster.close()
    await engine.close({ stopTasks: true })
    rmSync(dataDir, { recursive: true, force: true })
  })
  const talk = talkTo(engine.url)
  return { ...region, cluster, talk, nodes: () => talk.get<Node[]>('/v1/nodes') }
}

t.test('a machine that boots is a node of its own name, and is down when it ends', async (t) => {
  const { nodes, talk, cluster, ...region } = await aCluster(t)
  makeGroup(region)
  putHook(region)
  await region.clock.tick(1500)
  t.same(region.states(), ['InService', 'InService'])
  t.same(await nodes(), [], 'in service, and not there yet')
  await region.clock.tick(SECOND)
  const [first = ''] = region.instances().map(({ InstanceId }) => InstanceId)
  const listed = await nodes()
  t.equal(listed.length, 2)
  const node = await talk.get<Node>(`/v1/node/${cluster.nodeOf(first)}`)
  t.equal(node.Name, first)
  t.match(node.Attributes, {
    'unique.platform.aws.instance-id': first,
    'platform.aws.instance-type': 'm5.large',
    'platform.aws.placement.availability-zone': /^us-east-1[ab]$/,
  })
  region.terminate(first)
  await region.clock.tick(SECOND)
  t.equal((await talk.get<Node>(`/v1/node/${node.ID}`)).Status, 'ready', 'while the hook holds it')
  region.complete(first)
  t.equal((await talk.get<Node>(`/v1/node/${node.ID}`)).Status, 'down')
})

t.test('what runs on a machine is lost with it, and a broken one never shows up', async (t) => {
  const { nodes, talk, ...region } = await aCluster(t)
  makeGroup(region, { DesiredCapacity: 1 })
  await region.clock.tick(3 * SECOND)
  await talk.register({
    ID: 'slices',
    Type: 'batch',
    Datacenters: ['*'],
    TaskGroups: [
      {
        Name: 'slice',
        Count: 1,
        RestartPolicy: { Attempts: 0, Mode: 'fail' },
        ReschedulePolicy: { Attempts: 0, Unlimited: false },
        Tasks: [{ Name: 'agent', Driver: 'mock_driver', Config: { run_for: '10m' } }],
      },
    ],
  })
  await region.clock.tick(SECOND)
  t.match(await talk.allocations('slices'), [{ ClientStatus: 'running' }])
  region.aws.disturb({ do: 'break-boots', times: 1 })
  const [id = ''] = region.instances().map(({ InstanceId }) => InstanceId)
  region.aws.disturb({ do: 'machine-failure', instance: id })
  await region.clock.tick(SECOND)
  t.match(await talk.allocations('slices'), [{ ClientStatus: 'lost' }])
  await region.clock.tick(MINUTE)
  t.same(region.states(), ['InService'], 'replaced')
  t.match(await nodes(), [{ Name: id, Status: 'down' }])
})

t.test('a machine of a warm pool is the same node again when it is started', async (t) => {
  const { nodes, ...region } = await aCluster(t)
  makeGroup(region, { DesiredCapacity: 0, MaxSize: 1 })
  region.call('PutWarmPool', { AutoScalingGroupName: GROUP, PoolState: 'Stopped' })
  await region.clock.tick(5 * SECOND)
  t.same(await nodes(), [], 'it was stopped before its software was up')
  region.call('SetDesiredCapacity', { AutoScalingGroupName: GROUP, DesiredCapacity: 1 })
  await region.clock.tick(3 * SECOND)
  t.match(await nodes(), [{ Status: 'ready' }])
})
