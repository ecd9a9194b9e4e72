/** `caravan fleet complete`: tells the group that an instance may go, when nothing runs on it any more. */
import { findAction, findNodes, isLive, proveEmpty, toAllocationView } from '../../fleet/index.ts'
import { CaravanError, type CompleteReport } from '../../model/index.ts'
import type { NomadClient, NomadNode } from '../../nomad/index.ts'
import type { AwsRegion } from '../../platform/index.ts'
import { EXIT, writeJsonLine, type Io } from '../io.ts'
import { instanceIdOf, nodeNameOf, withAws, withNomad, type NodeOptions } from './connect.ts'
import { drawCompletion } from './render.ts'

export interface CompleteOptions extends NodeOptions {
  hook?: string
  result: 'CONTINUE' | 'ABANDON'
  /** Do not look whether something still runs. */
  force?: boolean
}

/** Exit code 0 when it is completed, or nothing waited for it; 1 when something still runs on the instance. */
export async function completeCommand(options: CompleteOptions, io: Io): Promise<number> {
  const name = nodeNameOf(options)
  return withAws(options, io, async (aws) => {
    if (options.force && name.kind === 'instance') {
      return report(await complete(aws, name.id, options), options, io)
    }
    return withNomad(options, io, async (nomad) => {
      const nodes = await findNodes(nomad, name)
      const instance = instanceIdOf(name, nodes)
      const left = options.force ? null : await whatHolds(nomad, nodes)
      if (left === null) return report(await complete(aws, instance, options), options, io)
      const action = await findAction(aws, { instanceId: instance, hook: options.hook })
      const { hook = '', group = '' } = action ?? {}
      const refused: CompleteReport = {
        instance,
        group,
        hook,
        result: options.result,
        outcome: 'refused',
        allocations: left,
      }
      return report(refused, options, io)
    })
  })
}

/**
 * Null when nothing does; a list without anything in it when Nomad says that something runs which it does
 * not show.
 *
 * @throws CaravanError CONFLICT for a node that takes work: what comes next could not be seen now.
 */
async function whatHolds(
  nomad: NomadClient,
  nodes: readonly NomadNode[],
): Promise<CompleteReport['allocations'] | null> {
  let left: CompleteReport['allocations'] | null = null
  for (const { ID, Name, Status } of nodes) {
    const proof = await proveEmpty(nomad, ID)
    if (proof === 'busy') {
      const live = (await nomad.nodeAllocations(ID)).filter(isLive)
      left = [...(left ?? []), ...live.map(toAllocationView)]
    }
    // Nomad gives nothing to a node that is down.
    if (proof === 'eligible' && Status !== 'down') {
      throw new CaravanError(
        'CONFLICT',
        `${Name} takes work: drain it first, with caravan fleet drain`,
      )
    }
  }
  return left
}

async function complete(
  aws: AwsRegion,
  instanceId: string,
  { hook, result, dryRun }: CompleteOptions,
): Promise<CompleteReport> {
  const action = await findAction(aws, { instanceId, hook })
  const base = { instance: instanceId, result, allocations: [] }
  if (action === null) return { ...base, group: '', hook: hook ?? '', outcome: 'over' }
  const named = { ...base, group: action.group, hook: action.hook }
  if (dryRun) return { ...named, outcome: 'planned' }
  const outcome = await aws.completeAction(action, result)
  return { ...named, outcome: outcome === 'done' ? 'completed' : 'over' }
}

async function report(done: CompleteReport, options: CompleteOptions, io: Io): Promise<number> {
  if (options.json) await writeJsonLine(io.stdout, done)
  else io.stdout.write(drawCompletion(done))
  return done.outcome === 'refused' ? EXIT.notSucceeded : EXIT.ok
}
