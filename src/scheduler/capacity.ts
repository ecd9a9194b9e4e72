/**
 * What the cluster can hold, and which waiting slices to register with Nomad next.
 *
 * Pure: from the nodes as Nomad lists them and the slices we have open. What other tenants of the
 * cluster use is not counted; a window that is too wide for that reason costs a few blocked
 * evaluations, no more.
 */
import { toReservation, type ResourceClass } from '../model/index.ts'
import type { NomadNode } from '../nomad/index.ts'
import type { OpenSlice } from './open-slices.ts'

/**
 * Slices are registered up to this many times the free places: what does not fit now is the small
 * look-ahead with which Nomad fills a place the moment it is free. The rest of the backlog stays ours,
 * since Nomad promises no order among waiting jobs and keeps every one of them in memory.
 */
const WINDOW_PER_FREE_PLACE = 2

export interface NodeCapacity {
  id: string
  name: string
  nodeClass: string
  datacenter: string
  /** Takes new allocations. */
  usable: boolean
  cpuMhz: number
  memoryMiB: number
}

export interface QueueView {
  /** Oldest first. */
  waiting: readonly OpenSlice[]
  /** Those that have, or may soon have, a place on a node. */
  live: readonly OpenSlice[]
  nodes: readonly NodeCapacity[]
  classes: ReadonlyMap<string, ResourceClass>
}

export interface QueueDecision {
  submit: OpenSlice[]
  /** Why the slices that still wait do so, by resource class. */
  waits: Map<string, string>
}

export type Fit =
  /** Some node can hold it when it is empty, or a fleet can make one. */
  | { kind: 'fits' }
  /** No nodes are known yet. */
  | { kind: 'unknown' }
  | { kind: 'never'; detail: string }

/** @param datacenters patterns as in a job file, such as `*` or `eu-*`. */
export function toCapacity(node: NomadNode, datacenters: readonly string[]): NodeCapacity {
  const { NodeResources: own, ReservedResources: reserved } = node
  return {
    id: node.ID,
    name: node.Name,
    nodeClass: node.NodeClass,
    datacenter: node.Datacenter,
    usable:
      node.Status === 'ready' &&
      node.SchedulingEligibility === 'eligible' &&
      !node.Drain &&
      datacenters.some((pattern) => matches(pattern, node.Datacenter ?? '')),
    cpuMhz: (own?.Cpu?.CpuShares ?? 0) - (reserved?.Cpu?.CpuShares ?? 0),
    memoryMiB: (own?.Memory?.MemoryMB ?? 0) - (reserved?.Memory?.MemoryMB ?? 0),
  }
}

/** Whether any node, full or not, ready or not, is large enough and of the right node class. */
export function judgeFit(resourceClass: ResourceClass, nodes: readonly NodeCapacity[]): Fit {
  if (nodes.length === 0) return { kind: 'unknown' }
  const suited = nodes.filter((node) => node.nodeClass === resourceClass.nodeClass)
  const need = toReservation(resourceClass)
  const holds = (node: NodeCapacity) =>
    node.cpuMhz >= need.cpuMhz && node.memoryMiB >= need.memoryMiB
  if (resourceClass.pools !== undefined || suited.some(holds)) return { kind: 'fits' }
  const share = (node: NodeCapacity) =>
    Math.min(node.cpuMhz / need.cpuMhz, node.memoryMiB / need.memoryMiB)
  const biggest = [...(suited.length > 0 ? suited : nodes)].sort((a, b) => share(b) - share(a))[0]
  const asked = `resource class ${resourceClass.name} needs ${sizeOf(need)} (agent included)`
  const found = biggest && `${biggest.name} with ${sizeOf(biggest)}`
  const detail =
    suited.length > 0
      ? `${asked}; the biggest node of class ${resourceClass.nodeClass} is ${found}`
      : `${asked} on a node of class ${resourceClass.nodeClass}, and no node has that class; ` +
        `the biggest node is ${found}, class "${biggest?.nodeClass}"`
  return { kind: 'never', detail }
}

/**
 * Oldest first within each resource class, after those that are tried again: they had their turn, and lost
 * their place through no fault of their own.
 */
export function chooseNext(view: QueueView): QueueDecision {
  const decision: QueueDecision = { submit: [], waits: new Map() }
  const free = freeRoom(view)
  const allowed = new Map<string, number>()
  for (const entry of inTurn(view.waiting)) {
    const resourceClass = view.classes.get(entry.build.resource_class)
    if (resourceClass === undefined) continue
    const { name } = resourceClass
    const left = allowed.get(name) ?? openWindow(resourceClass, free, view)
    allowed.set(name, left - 1)
    if (left > 0) decision.submit.push(entry)
    else if (!decision.waits.has(name)) decision.waits.set(name, explainWait(resourceClass, view))
  }
  return decision
}

type RoomView = Pick<QueueView, 'live' | 'nodes' | 'classes'>

/** How many slices of each class would find a place now. */
export function placesFor(view: RoomView): Map<string, number> {
  const free = freeRoom(view)
  return new Map([...view.classes].map(([name, each]) => [name, countPlaces(each, free)]))
}

/** The most of each that any one node has left: what is free in all says little about what fits. */
export function largestRoom(view: RoomView): { cpuMhz: number; memoryMiB: number } {
  const free = freeRoom(view)
  return {
    cpuMhz: Math.max(0, ...free.map((room) => room.cpuMhz)),
    memoryMiB: Math.max(0, ...free.map((room) => room.memoryMiB)),
  }
}

function inTurn(waiting: readonly OpenSlice[]): OpenSlice[] {
  const isAgain = ({ slice }: OpenSlice) => slice.retries > 0
  return [...waiting.filter(isAgain), ...waiting.filter((entry) => !isAgain(entry))]
}

interface Room {
  nodeClass: string
  cpuMhz: number
  memoryMiB: number
}

/** What our own placed slices leave of each usable node. */
function freeRoom(view: RoomView): Room[] {
  const rooms = new Map<string, Room>()
  for (const node of view.nodes) {
    if (node.usable) rooms.set(node.id, { ...node })
  }
  for (const { slice, build } of view.live) {
    const room = slice.node_id === null ? undefined : rooms.get(slice.node_id)
    const resourceClass = view.classes.get(build.resource_class)
    if (room === undefined || resourceClass === undefined) continue
    const used = toReservation(resourceClass)
    room.cpuMhz -= used.cpuMhz
    room.memoryMiB -= used.memoryMiB
  }
  return [...rooms.values()]
}

/** How many slices of the class may be registered now, beyond those that wait for a place already. */
function openWindow(resourceClass: ResourceClass, free: readonly Room[], view: QueueView): number {
  const unplaced = view.live.filter(
    ({ slice, build }) => slice.node_id === null && build.resource_class === resourceClass.name,
  )
  return countPlaces(resourceClass, free) * WINDOW_PER_FREE_PLACE - unplaced.length
}

function countPlaces(resourceClass: ResourceClass, free: readonly Room[]): number {
  const { cpuMhz, memoryMiB } = toReservation(resourceClass)
  let places = 0
  for (const room of free) {
    if (room.nodeClass !== resourceClass.nodeClass) continue
    places += Math.max(0, Math.floor(Math.min(room.cpuMhz / cpuMhz, room.memoryMiB / memoryMiB)))
  }
  return places
}

function explainWait(resourceClass: ResourceClass, view: QueueView): string {
  const { name, nodeClass } = resourceClass
  const usable = view.nodes.filter((node) => node.usable && node.nodeClass === nodeClass)
  if (usable.length === 0) return `waits for a node: no node of class ${nodeClass} takes work`
  const nodes = usable.length === 1 ? '1 node' : `${usable.length} nodes`
  return `waits for capacity: every place for class ${name} on ${nodes} is taken`
}

function sizeOf(size: { cpuMhz: number; memoryMiB: number }): string {
  return `${size.cpuMhz} MHz and ${size.memoryMiB} MiB`
}

function matches(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === text
  if (!text.startsWith(first)) return false
  let from = first.length
  const last = rest.pop() ?? ''
  for (const part of rest) {
    const at = text.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return text.length >= from + last.length && text.endsWith(last)
}
