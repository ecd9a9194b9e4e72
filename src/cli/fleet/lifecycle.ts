/** `caravan fleet lifecycle --self`: the daemon on an instance. */
import { runLifecycle } from '../../fleet/index.ts'
import type { LifecycleEvent } from '../../model/index.ts'
import { createAws, exec, systemClock, systemRandom, type AwsRegion } from '../../platform/index.ts'
import { EXIT, usageError, type Io } from '../io.ts'
import { toSafeText } from '../render/hostile.ts'
import { logOf, openImds, toldRegion, withNomad, type FleetOptions } from './connect.ts'

export interface LifecycleOptions extends FleetOptions {
  self?: boolean
  hook?: string
  result: 'CONTINUE' | 'ABANDON'
  beforeComplete?: string
  /** Milliseconds. */
  giveUp?: number
  atCap: 'wait' | 'stop'
  onRebalance: 'tell' | 'cordon'
}

/** For what is delivered before the machine goes; heartbeats go on meanwhile. */
const COMMAND_MS = 10 * 60_000

/** Of the hook's whole time, when `--at-cap stop` stops what still runs. */
const STOP_SHARE = 0.95

/** Runs until it is stopped; exit code 0 then. */
export async function lifecycleCommand(options: LifecycleOptions, io: Io): Promise<number> {
  if (!options.self) throw usageError('it looks after the machine it runs on: say --self')
  const opened: AwsRegion[] = []
  const imds = openImds(options, io)
  const openAws = (region: string) => {
    const aws = createAws({ region, clock: systemClock })
    opened.push(aws)
    return options.dryRun ? { ...aws, heartbeat: pretend, completeAction: pretend } : aws
  }
  const { hook, result, giveUp, atCap, onRebalance, beforeComplete } = options
  const random = () => systemRandom.number()
  const report = (event: LifecycleEvent) => tell(event, options, io)
  try {
    await withNomad(options, io, async (nomad) => {
      const log = logOf(options, io)
      const shown = options.dryRun ? { ...nomad, drainNode: pretendDrain } : nomad
      const deps = { imds, nomad: shown, openAws, clock: systemClock, random, log, report }
      const plan = {
        region: toldRegion(options, io) ?? undefined,
        hook,
        result,
        giveUpMs: giveUp ?? null,
        stopAtShare: atCap === 'stop' ? STOP_SHARE : null,
        cordonsAtRisk: onRebalance === 'cordon',
        beforeComplete: () => runCommand(options.dryRun ? undefined : beforeComplete),
      }
      await runLifecycle(deps, plan, io.signal)
    })
  } finally {
    await imds.close()
    for (const aws of opened) aws.close()
  }
  return EXIT.ok
}

/** @throws CaravanError or Error when it fails: somebody has to hear it. */
async function runCommand(command: string | undefined): Promise<void> {
  if (command === undefined) return
  const { code, stderr } = await exec('/bin/sh', ['-c', command], { timeoutMs: COMMAND_MS })
  if (code !== 0) throw new Error(`"${command}" ended with ${code}: ${stderr.trim().slice(-500)}`)
}

const pretend = () => Promise.resolve('done' as const)
const pretendDrain = () => Promise.resolve({ evalIds: [], nodeModifyIndex: 0, index: 0 })

function tell(event: LifecycleEvent, { json }: LifecycleOptions, io: Io): void {
  if (json) io.stdout.write(`${JSON.stringify(event)}\n`)
  else io.stderr.write(`${event.at.slice(11, 19)} ${toSafeText(describe(event))}\n`)
}

function describe(event: LifecycleEvent): string {
  switch (event.type) {
    case 'ready':
      return `watches over ${event.instance} in ${event.region}`
    case 'target':
      return `its group wants it to be ${event.state ?? 'in no group'}`
    case 'spot_notice':
      return `EC2 takes it back at ${event.when} (${event.action})`
    case 'rebalance':
      return `EC2 recommends to replace it, since ${event.since}`
    case 'drain':
      return `node ${event.node_id} takes no new work`
    case 'left':
      return `${event.allocations.length} allocations still run`
    case 'beat':
      return `heartbeat for ${event.hook}, which can wait ${event.cap_seconds} s more`
    case 'cap':
      return `the hook ${event.hook} ends in ${event.cap_seconds} s, whatever still runs`
    case 'lapsed':
      return `its group waits no longer (${event.state ?? 'it is in no group'})`
    case 'empty':
      return 'nothing runs on it any more'
    case 'completed':
      return event.accepted ? `completed ${event.hook}` : `nothing waited for ${event.hook}`
    case 'undrain':
      return `node ${event.node_id} takes work again`
    case 'trouble':
      return `${event.with} does not work, and is tried again: ${event.message}`
  }
}
