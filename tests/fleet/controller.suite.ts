/** The controller and its commands as processes: the real clients of AWS and Nomad, on emulator and engine. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  fleetExplanation,
  fleetOrder,
  fleetStatus,
  fleetTick,
  type DemandAnswer,
} from '../../src/model/index.ts'
import { aSimulatedJob, eventually, untilStatus } from '../dev/nomad-engine/support.ts'
import type { Room } from '../../src/fleet/index.ts'
import type { NomadNode } from '../../src/nomad/index.ts'
import { serve } from '../support/serve.ts'
import { GROUP, lines, startFarm } from './support/farm.ts'

const settingsFor = ({ cpuMhz, memoryMiB }: Room) => `
pool "linux" {
  group    = "${GROUP}"
  region   = "us-east-1"
  max      = 5
  idle_off = "2s"
  instance = { vcpu = ${cpuMhz / 1000 + 2}, memory = ${memoryMiB + 4096} }
  budget   = { percent = 100 }
}
`

/** A server that only tells of its queue: so many mediums wait. */
/** @param need of a slice. */
async function aQueue(t: Test, need: Room) {
  const state = { waiting: 0 }
  const url = await serve(t, (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://server')
    if (pathname !== '/api/v1/demand') return void response.writeHead(404).end('{}')
    const answer: DemandAnswer = {
      at: new Date(0).toISOString(),
      classes: [
        {
          resource_class: 'medium',
          pool: null,
          node_class: 'linux-64bit',
          reservation: { cpu_mhz: need.cpuMhz, memory_mib: need.memoryMiB },
          waiting: state.waiting,
          placing: 0,
          running: 0,
          oldest_waiting_seconds: 1,
          longest_running_seconds: 0,
        },
      ],
      slices: [],
      omitted: 0,
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  return { state, url }
}

async function aControlledFarm(t: Test, machines: number) {
  const farm = await startFarm(t, { machines })
  const [node] = await farm.get<NomadNode[]>('/v1/nodes?resources=true')
  const room = {
    cpuMhz: node?.NodeResources?.Cpu?.CpuShares ?? 0,
    memoryMiB: node?.NodeResources?.Memory?.MemoryMB ?? 0,
  }
  // One slice takes a machine.
  const queue = await aQueue(t, { cpuMhz: Math.ceil(room.cpuMhz * 0.6), memoryMiB: 1 })
  const settings = join(farm.dataDir, 'fleet.hcl')
  writeFileSync(settings, settingsFor(room))
  const env = { CARAVAN_SETTINGS: settings, CARAVAN_SERVER: queue.url, CARAVAN_DATA: 'controller' }
  const fleet = (...args: string[]) => farm.start(args, env).ended
  return { farm, queue, fleet, run: (...args: string[]) => farm.start(['run', ...args], env) }
}

const size = (farm: Awaited<ReturnType<typeof startFarm>>) =>
  farm.aws.world.groups.get(GROUP)?.desired ?? 0

t.test('a controller grows the pool, waits for builds, and takes idle machines away', async (t) => {
  const { farm, queue, fleet, run } = await aControlledFarm(t, 1)
  const [first = ''] = farm.instances()
  await farm.register(aSimulatedJob('build'))
  await untilStatus(farm, 'build', 'running')
  const controller = run('--json')
  t.match(JSON.parse(await controller.firstLine), { pools: ['linux'] })
  // The one that is there takes the first of them: its build is no slice of this queue.
  queue.state.waiting = 3
  await eventually(() => size(farm) === 3, 'two more machines', 30_000)
  queue.state.waiting = 0
  await eventually(() => size(farm) === 1, 'only the busy one', 60_000)
  farm.terminate(first)
  await farm.untilState(first, 'Terminating:Wait')
  const status = await fleet('status', '--json')
  t.equal(status.code, 0, status.stderr)
  const seen = fleetStatus.parse(lines(status)[0])
  t.match(seen, {
    controller: { alive: true },
    nodes: [{ instance: first, state: 'waiting', slices: 1, draining_seconds: Number }],
  })
  t.ok((seen.nodes[0]?.cap_seconds ?? 0) > 2000)
  const second = await fleet('tick', '--json')
  t.equal(second.code, 1, 'another controller acts')
  t.match(fleetTick.parse(lines(second)[0]), { outcome: 'leased' })
  await farm.send('DELETE', '/v1/job/build')
  await farm.untilState(first, null)
  controller.child.kill('SIGTERM')
  const ended = await controller.ended
  t.equal(ended.code, 0, ended.stderr)
  const steps = ended.stdout.trim().split('\n').slice(1)
  for (const line of steps) fleetTick.parse(JSON.parse(line))
  const explained = await fleet('explain', '--node', first, '--json')
  t.equal(explained.code, 0, explained.stderr)
  const why = lines(explained).map((line) => fleetExplanation.parse(line))
  const kinds = why.flatMap(({ pools }) =>
    pools.flatMap(({ actions }) => actions.map(({ kind }) => kind)),
  )
  t.ok(kinds.includes('drain') && kinds.includes('complete'))
})

t.test('one step at a time: sizes, orders, pins, and what a dry run leaves alone', async (t) => {
  const { farm, queue, fleet } = await aControlledFarm(t, 1)
  const [instance = ''] = farm.instances()
  queue.state.waiting = 4
  const dry = await fleet('tick', '--dry-run', '--json')
  t.equal(dry.code, 0, dry.stderr)
  t.match(fleetTick.parse(lines(dry)[0]), {
    outcome: 'planned',
    pools: [{ target: 4, actions: [{ kind: 'set_desired' }] }],
  })
  t.equal(size(farm), 1)
  const tick = await fleet('tick', '--json')
  t.match(fleetTick.parse(lines(tick)[0]), { done: [{ kind: 'set_desired', outcome: 'done' }] })
  t.equal(size(farm), 4)
  const scaled = await fleet('scale', 'linux', '5', '--json')
  t.equal(scaled.code, 0, scaled.stderr)
  t.match(fleetOrder.parse(lines(scaled)[0]), { about: 'linux', size: 5, controller: false })
  t.match(scaled.stderr, /no controller runs/)
  await fleet('tick')
  t.equal(size(farm), 5)
  t.equal((await fleet('scale', 'linux', '6')).code, 2)
  t.equal((await fleet('scale', 'other', '1')).code, 2)
  const pinned = await fleet('pin', instance, '--until', '4h', '--json')
  t.match(fleetOrder.parse(lines(pinned)[0]), { about: instance, outcome: 'stored' })
  const status = await fleet('status')
  t.match(status.stdout, /pinned until/)
  t.equal((await fleet('pin', instance)).code, 2)
  t.equal((await fleet('pin', instance, '--remove')).code, 0)
  t.equal((await fleet('explain', '--at', 'yesterday')).code, 2)
  t.equal((await fleet('explain', '--at', '2001-01-01T00:00:00Z')).code, 1)
})

t.test('without a pool, or without anything that answers, it says so', async (t) => {
  const farm = await startFarm(t, { machines: 0 })
  const none = await farm.fleet('tick')
  t.equal(none.code, 2)
  t.match(none.stderr, /declare no pool/)
  const settings = join(farm.dataDir, 'fleet.hcl')
  writeFileSync(settings, settingsFor({ cpuMhz: 8000, memoryMiB: 8192 }))
  const away = await farm.start(['tick', '--settings', settings, '--json'], {
    CARAVAN_SERVER: 'http://127.0.0.1:9',
  }).ended
  t.equal(away.code, 3)
  t.match(fleetTick.parse(lines(away)[0]).faults, [/demand/])
})
