/** Calls about what machine and tasks use. */
import { cpus, freemem, totalmem, uptime } from 'node:os'
import { statfsSync } from 'node:fs'
import type { Client } from '../../client/client.ts'
import type { TaskUsage } from '../../client/driver.ts'
import type { Core } from '../../operations/jobs.ts'
import { checkUuid, Refusal } from '../../operations/refusal.ts'
import { toNanoseconds } from '../../objects/values.ts'
import { json } from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'
import { CpuMeter } from '../cpu-meter.ts'

export interface StatsDeps extends Core {
  client: Client
  dataDir: string
}

export function statsRoutes(deps: StatsDeps): Routes {
  const meter = new CpuMeter(deps.clock)
  return {
    '/v1/client/stats': { GET: (call) => readHost(deps, meter, call) },
    '/v1/client/allocation/:id/stats': { GET: (call) => readAllocation(deps, meter, call) },
    '/v1/client/allocation/:id/checks': {
      GET: (call) => {
        findAllocation(deps, call)
        return json(call, null)
      },
    },
  }
}

/** The machine is the same for every node. */
function readHost(deps: StatsDeps, meter: CpuMeter, call: Call): Reply {
  const { state, clock, dataDir } = deps
  const id = call.query.get('node_id') ?? ''
  if (id !== '') {
    checkUuid(id, 'node lookup failed: ')
    if (!state.tables.node.get(id)) throw new Refusal(404, `Unknown node ${id}`)
  }
  const disk = describeDisk(dataDir)
  return json(call, {
    AllocDirStats: disk,
    CPU: cpus().map((cpu, at) => describeCpu(cpu, at)),
    CPUTicksConsumed: toMhz(meter.percent('host', readBusyTime())),
    DeviceStats: null,
    DiskStats: [disk],
    Memory: {
      Total: totalmem(),
      Available: freemem(),
      Used: totalmem() - freemem(),
      Free: freemem(),
    },
    Timestamp: toNanoseconds(clock.now()),
    Uptime: Math.floor(uptime()),
  })
}

/** Of all processors since the machine started. */
function readBusyTime(): { userMs: number; systemMs: number } {
  const times = cpus().map((cpu) => cpu.times)
  const sum = (pick: (each: (typeof times)[number]) => number) =>
    times.reduce((total, each) => total + pick(each), 0)
  return {
    userMs: sum((each) => each.user + each.nice),
    systemMs: sum((each) => each.sys + each.irq),
  }
}

/** Nomad counts processor use in MHz. @param percent of one processor. */
function toMhz(percent: number): number {
  const [cpu] = cpus()
  return ((cpu?.speed ?? 0) * percent) / 100
}

/** Shares since the machine started: good enough for a display. */
function describeCpu({ times }: ReturnType<typeof cpus>[number], at: number) {
  const total = times.user + times.nice + times.sys + times.idle + times.irq || 1
  const share = (part: number) => (100 * part) / total
  return {
    CPU: `cpu${at}`,
    User: share(times.user + times.nice),
    System: share(times.sys + times.irq),
    Idle: share(times.idle),
    TotalPercent: share(total - times.idle),
    TotalTicks: 0,
  }
}

function describeDisk(path: string) {
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path)
  const [Size, Used] = [blocks * bsize, (blocks - bfree) * bsize]
  return {
    Device: '',
    Mountpoint: path,
    Size,
    Used,
    Available: bavail * bsize,
    UsedPercent: Size > 0 ? (100 * Used) / Size : 0,
    InodesUsedPercent: files > 0 ? (100 * (files - ffree)) / files : 0,
  }
}

function readAllocation(deps: StatsDeps, meter: CpuMeter, call: Call): Reply {
  const { clock, client } = deps
  const id = findAllocation(deps, call)
  const only = call.query.get('task')
  const Timestamp = toNanoseconds(clock.now())
  const tasks = (client.runner(id)?.tasks ?? []).filter((each) => !only || each.task.Name === only)
  const usages = tasks.flatMap((each) => {
    const usage = each.usage()
    return usage ? [{ name: each.task.Name, usage }] : []
  })
  const described = usages.map(({ name, usage }) => {
    const ResourceUsage = describeUsage(usage, meter.percent(`${id}/${name}`, usage))
    return [name, { ResourceUsage, Timestamp, Pids: null }] as const
  })
  const total = usages.reduce(
    (sum, { usage }) => ({
      memoryBytes: sum.memoryBytes + usage.memoryBytes,
      userMs: sum.userMs + usage.userMs,
      systemMs: sum.systemMs + usage.systemMs,
    }),
    { memoryBytes: 0, userMs: 0, systemMs: 0 },
  )
  const percent = described.reduce((sum, [, each]) => sum + each.ResourceUsage.CpuStats.Percent, 0)
  return json(call, {
    ResourceUsage: describeUsage(total, percent),
    Tasks: Object.fromEntries(described),
    Timestamp: described.length > 0 ? Timestamp : 0,
  })
}

function describeUsage(usage: TaskUsage, percent: number) {
  return {
    CpuStats: {
      Percent: percent,
      UserMode: 0,
      SystemMode: 0,
      TotalTicks: toMhz(percent),
      ThrottledPeriods: 0,
      ThrottledTime: 0,
      Measured: ['Percent', 'Total Ticks'],
    },
    MemoryStats: {
      RSS: usage.memoryBytes,
      Usage: usage.memoryBytes,
      Cache: 0,
      Swap: 0,
      MappedFile: 0,
      MaxUsage: 0,
      KernelUsage: 0,
      KernelMaxUsage: 0,
      Measured: ['RSS', 'Usage'],
    },
    DeviceStats: [],
  }
}

function findAllocation({ state }: StatsDeps, call: Call): string {
  const id = call.params['id'] ?? ''
  checkUuid(id, 'alloc lookup failed: ')
  if (state.tables.allocation.get(id)) return id
  throw new Refusal(404, `Unknown allocation "${id}"`)
}
