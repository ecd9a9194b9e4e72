/** The Nomad cluster on the emulated machines: every one that boots becomes a node of the embedded engine. */
import type { EngineNodeOptions, NomadEngine } from '../nomad-engine/index.ts'
import type { Machine } from './core/world.ts'
import type { AwsEmulator } from './emulator.ts'

export interface ClusterOptions {
  aws: AwsEmulator
  engine: Pick<NomadEngine, 'addNode' | 'setNodeStatus'>
  /** Size, class and the like, by machine. The name and the attributes of the instance are added. */
  describe?: (machine: Machine) => Omit<EngineNodeOptions, 'name'>
}

export interface Cluster {
  /** The node of an instance, also of one that is gone. */
  nodeOf(instance: string): string | undefined
  close(): void
}

/**
 * A node is called like its instance and tells of it, as on a machine that was set up by the user data.
 * With the machine's end its node is down; a machine that comes back is the same node again.
 */
export function connectCluster({ aws, engine, describe }: ClusterOptions): Cluster {
  const nodes = new Map<string, string>()
  const close = aws.subscribe((event) => {
    if (event.type === 'booted') {
      const machine = aws.world.machines.get(event.instance)
      if (machine === undefined) return
      nodes.set(machine.id, engine.addNode(toNode(aws, machine, describe?.(machine) ?? {})))
    }
    if (event.type !== 'machine' || event.state === 'pending' || event.state === 'running') return
    const node = nodes.get(event.instance)
    if (node !== undefined) engine.setNodeStatus(node, 'down')
  })
  return { nodeOf: (instance) => nodes.get(instance), close }
}

function toNode(
  aws: AwsEmulator,
  machine: Machine,
  own: Omit<EngineNodeOptions, 'name'>,
): EngineNodeOptions {
  const host = `ip-${machine.privateIp.replaceAll('.', '-')}.ec2.internal`
  return {
    ...own,
    name: machine.id,
    attributes: {
      'unique.platform.aws.instance-id': machine.id,
      'unique.platform.aws.local-ipv4': machine.privateIp,
      'unique.platform.aws.local-hostname': host,
      'unique.platform.aws.hostname': host,
      'unique.platform.aws.ami-id': machine.imageId,
      'platform.aws.instance-type': machine.instanceType,
      'platform.aws.instance-life-cycle': machine.isSpot ? 'spot' : 'on-demand',
      'platform.aws.placement.availability-zone': machine.zone,
      'platform.aws.region': aws.world.settings.region,
      ...own.attributes,
    },
  }
}
