/**
 * A whole cluster in one process: the emulated region, the embedded Nomad engine whose nodes are its
 * machines, and, for a script, a controller that is to master what the script does to them.
 */
import type { Clock, Log, RandomSource } from '../../../platform/index.ts'
import { MHZ_PER_VCPU } from '../../../model/index.ts'
import { createNomadClient } from '../../../nomad/index.ts'
import { startNomadEngine } from '../../nomad-engine/index.ts'
import type { Intercept } from '../../nomad-engine/index.ts'
import { connectCluster } from '../cluster.ts'
import { narrate } from '../narrator.ts'
import { startAwsEmulator } from '../start.ts'
import type { RunningAwsEmulator } from '../start.ts'
import { toNomadJob } from './job.ts'
import { play } from './player.ts'
import type { Outcome, PlayerDeps } from './player.ts'
import type { Step } from './script.ts'

export interface RehearsalOptions {
  clock: Clock
  random: RandomSource
  log: Log
  /** What tasks of the engine inherit. */
  environment: Readonly<Record<string, string | undefined>>
  port: number
  imdsPort: number
  bootMs: number
  /** Without it there is no Nomad: the region alone. */
  cluster: ClusterPlan | null
}

export interface ClusterPlan {
  /** State of the engine and of the controller; a folder of this rehearsal alone. */
  dataDir: string
  nomadPort: number
  /** What one machine offers. */
  instance: { vcpu: number; memory: number }
  /** Plugged in by whoever knows one; a rehearsal without it leaves the hooks to others. */
  startController: StartController | undefined
}

/** @returns what ends it. */
export type StartController = (surroundings: {
  endpoint: string
  imds: string
  nomad: string
  region: string
  dataDir: string
  /** What one machine offers: cores, and memory in MiB. */
  instance: { vcpu: number; memory: number }
  /** As they are when it starts: those that the script makes at once. */
  groups: () => readonly { name: string; min: number; max: number }[]
  log: Log
}) => Promise<{ close(): Promise<void> }>

export interface Rehearsal {
  endpoint: string
  imds: string
  nomad: string | null
  /** Plays the steps. @throws CaravanError INPUT_INVALID when the region refuses one. */
  play(steps: readonly Step[], signal: AbortSignal): Promise<Outcome>
  close(): Promise<void>
}

/** Closes what it opened when it can not start. */
export async function startRehearsal(options: RehearsalOptions): Promise<Rehearsal> {
  const { clock, random, log } = options
  const running = await startAwsEmulator({
    clock,
    random,
    log,
    port: options.port,
    imdsPort: options.imdsPort,
    bootMs: options.bootMs,
  })
  running.aws.subscribe((event) => narrate(log, event))
  try {
    const cluster = options.cluster && (await startCluster(options, options.cluster, running))
    return {
      endpoint: running.endpoint,
      imds: running.imds,
      nomad: cluster?.url ?? null,
      async play(steps, signal) {
        const runJob: PlayerDeps['runJob'] = async (job) => cluster?.runJob(job)
        const deps = { aws: running.aws, faults: running.faults, clock, log, runJob }
        // What stands at the very beginning is what the controller finds.
        const ground = steps.filter(({ at }) => at === 0)
        const outcome = await play(ground, deps, signal)
        if (outcome !== 'played') return outcome
        await cluster?.startController()
        return play(steps.slice(ground.length), deps, signal)
      },
      async close() {
        await cluster?.close()
        await running.close()
      },
    }
  } catch (cause) {
    await running.close()
    throw cause
  }
}

async function startCluster(
  options: RehearsalOptions,
  plan: ClusterPlan,
  running: RunningAwsEmulator,
) {
  const { clock, random, log } = options
  const engine = await startNomadEngine({
    port: plan.nomadPort,
    dataDir: plan.dataDir,
    clock,
    random,
    log: log.child({ part: 'nomad' }),
    environment: options.environment,
    nodes: [],
    intercept: tellDrains(log),
  })
  const { aws } = running
  const { vcpu, memory } = plan.instance
  const node = { cpuMhz: vcpu * MHZ_PER_VCPU, memoryMiB: memory }
  const nodes = connectCluster({ aws, engine, describe: () => node })
  const nomad = createNomadClient({ address: engine.url, clock, random, log })
  let controller: { close(): Promise<void> } | undefined
  return {
    url: engine.url,
    async runJob(job: Parameters<typeof toNomadJob>[0]) {
      await nomad.registerJob(toNomadJob(job))
    },
    async startController() {
      controller = await plan.startController?.({
        endpoint: running.endpoint,
        imds: running.imds,
        nomad: engine.url,
        region: aws.world.settings.region,
        dataDir: plan.dataDir,
        instance: plan.instance,
        groups: () => [...aws.world.groups.values()],
        log: log.child({ part: 'fleet' }),
      })
    },
    async close() {
      await controller?.close()
      nodes.close()
      await nomad.close()
      await engine.close({ stopTasks: true })
    },
  }
}

/** Drains and eligibility are half of the story, and only the engine sees them. */
function tellDrains(log: Log): Intercept {
  return async (call, next) => {
    const match = /^\/v1\/node\/([^/]+)\/(drain|eligibility|purge)(?:\?|$)/.exec(call.url)
    const answer = await next()
    if (match !== null && call.method !== 'GET' && answer.status === 200) {
      log.info(`node ${match[2]}`, { node: match[1], order: call.body })
    }
    return answer
  }
}
