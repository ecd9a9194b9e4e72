/** Port numbers for allocations that ask for them. */
import type { PortMapping } from '../objects/allocation.ts'
import type { TaskGroup } from '../objects/job.ts'
import type { Node } from '../objects/node.ts'

export type PortOutcome = { ok: true; ports: PortMapping[] | null } | { ok: false; reason: string }

/**
 * Takes ports for one allocation; `used` grows by what it took.
 *
 * Dynamic ports are the lowest that are free: what else on the machine listens is not known here.
 */
export function takePorts(group: TaskGroup, node: Node, used: Set<number>): PortOutcome {
  const network = group.Networks?.[0]
  if (network === undefined) return { ok: true, ports: null }
  const taken: PortMapping[] = []
  const HostIP = node.HTTPAddr.replace(/:\d+$/, '')
  for (const { Label, Value, To } of network.ReservedPorts ?? []) {
    if (used.has(Value))
      return { ok: false, reason: `network: reserved port collision ${Label}=${Value}` }
    taken.push({ Label, Value, To, HostIP })
    used.add(Value)
  }
  const { MinDynamicPort, MaxDynamicPort } = node.NodeResources
  let next = MinDynamicPort
  for (const { Label, To } of network.DynamicPorts ?? []) {
    while (used.has(next) && next <= MaxDynamicPort) next++
    if (next > MaxDynamicPort)
      return { ok: false, reason: 'network: dynamic port selection failed' }
    // Nomad: -1 means the same number inside as outside.
    taken.push({ Label, Value: next, To: To === -1 ? next : To, HostIP })
    used.add(next)
  }
  return { ok: true, ports: taken.length > 0 ? taken : null }
}
