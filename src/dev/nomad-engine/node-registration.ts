/** A node of the engine as it introduces itself: what a Nomad client would find out about its machine. */
import { arch, cpus, hostname, platform, release } from 'node:os'
import type { RandomSource } from '../../platform/index.ts'
import type { DriverInfo, Node } from './objects/node.ts'
import { createUuid, toTimestamp } from './objects/values.ts'
import { DRIVERS } from './jobs/validate.ts'
import type { CompleteNodeOptions } from './options.ts'
import { ENGINE_VERSION } from './version.ts'

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  ia32: '386',
}

/** Marks a node that plays its tasks: nothing real may ever be started on it. */
export const SIMULATED = 'nomad.engine.simulated'

/** Nomad's default range for ports that it chooses. */
const PORTS = { MinDynamicPort: 20_000, MaxDynamicPort: 32_000 }

export interface Registration {
  options: CompleteNodeOptions
  /** The node of that name that is known already. */
  known: Node | undefined
  /** `host:port` at which its files can be read. */
  address: string
  nowMs: number
  random: RandomSource
}

/** Keeps what operators did to a known node; the rest is as it presents itself now. */
export function describeNode({ options, known, address, nowMs, random }: Registration): Node {
  const now = toTimestamp(nowMs)
  const identity = {
    Datacenter: options.datacenter,
    NodePool: options.nodePool,
    NodeClass: options.nodeClass,
  }
  return {
    ID: known?.ID ?? createUuid(random),
    Name: options.name,
    ...identity,
    ComputedClass: `v1:${Object.values(identity).join('/')}`,
    HTTPAddr: address,
    Attributes: { ...describeMachine(options, address), ...options.attributes },
    Meta: options.meta,
    Drivers: Object.fromEntries(DRIVERS.map((name) => [name, describeDriver(name, now)])),
    NodeResources: describeResources(options, address),
    SchedulingEligibility: known?.SchedulingEligibility ?? 'eligible',
    DrainStrategy: known?.DrainStrategy ?? null,
    LastDrain: known?.LastDrain ?? null,
    Status: 'ready',
    StatusDescription: '',
    StatusUpdatedAt: Math.floor(nowMs / 1000),
    Events: known?.Events ?? [
      {
        Message: 'Node registered',
        Subsystem: 'Cluster',
        Details: null,
        Timestamp: now,
        CreateIndex: 0,
      },
    ],
    LastAllocUpdateIndex: known?.LastAllocUpdateIndex ?? 0,
    CreateIndex: known?.CreateIndex ?? 0,
    ModifyIndex: 0,
  }
}

function describeMachine(options: CompleteNodeOptions, address: string): Record<string, string> {
  return {
    'kernel.name': platform(),
    'kernel.version': release(),
    'os.name': platform(),
    'os.signals': 'SIGHUP,SIGINT,SIGKILL,SIGQUIT,SIGTERM,SIGUSR1,SIGUSR2',
    'cpu.arch': ARCHITECTURES[arch()] ?? arch(),
    'cpu.numcores': String(cpus().length),
    'cpu.totalcompute': String(options.cpuMhz),
    'cpu.usablecompute': String(options.cpuMhz),
    'memory.totalbytes': String(options.memoryMiB * 1024 * 1024),
    'nomad.version': ENGINE_VERSION,
    'nomad.engine': 'caravan',
    ...(options.simulate ? { [SIMULATED]: 'true' } : {}),
    'unique.hostname': hostname(),
    'unique.advertise.address': address,
    'unique.network.ip-address': address.replace(/:\d+$/, ''),
    ...Object.fromEntries(DRIVERS.map((name) => [`driver.${name}`, '1'])),
  }
}

function describeDriver(name: string, UpdateTime: string): DriverInfo {
  return {
    Attributes: { [`driver.${name}`]: 'true' },
    Detected: true,
    Healthy: true,
    HealthDescription: 'Healthy',
    UpdateTime,
  }
}

function describeResources(options: CompleteNodeOptions, address: string): Node['NodeResources'] {
  const cores = cpus().map((_cpu, at) => at)
  const IP = address.replace(/:\d+$/, '')
  return {
    Cpu: {
      CpuShares: options.cpuMhz,
      TotalCpuCores: cores.length,
      ReservableCpuCores: cores,
    },
    Memory: { MemoryMB: options.memoryMiB },
    Disk: { DiskMB: options.diskMiB },
    Networks: [{ Mode: 'host', Device: 'lo', CIDR: `${IP}/32`, IP, MBits: 1000 }],
    NodeNetworks: [],
    Devices: null,
    ...PORTS,
  }
}
