/** Whole clusters as tests of single rows begin with them, and what such tests ask of them afterwards. */
import type { Test } from 'tap'
import type { AwsIntercept, Refusal } from '../../../src/dev/aws/index.ts'
import type { NomadNode } from '../../../src/nomad/index.ts'
import { aCluster, type Cluster, type ClusterOptions } from './cluster.ts'
import { MEDIUMS_PER_NODE } from './views.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE

/** One machine of a group, by name. */
export const TERMINATE = 'TerminateInstanceInAutoScalingGroup'

/** Idle machines of these clusters may go after so long. */
export const IDLE_MS = 30 * SECOND

export async function withCluster(t: Test, options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await aCluster(options)
  t.teardown(() => cluster.close())
  return cluster
}

/** So many machines that were there before the controller, which has just begun; nothing waits. */
export async function idleCluster(
  t: Test,
  machines: number,
  { group, ...options }: ClusterOptions = {},
): Promise<Cluster> {
  const cluster = await withCluster(t, {
    bootMs: 20 * SECOND,
    ...options,
    policy: { idleOffMs: IDLE_MS, ...options.policy },
    group: { ...group, desired: machines },
  })
  await cluster.until('they are there', () => cluster.eligible() === machines)
  cluster.start()
  await cluster.pass(SECOND)
  return cluster
}

/** So many machines, and on each as many slices as it takes, which run for so long. */
export async function busyCluster(
  t: Test,
  machines: number,
  forMs: number,
  options: ClusterOptions = {},
): Promise<Cluster> {
  const cluster = await withCluster(t, { bootMs: 20 * SECOND, ...options })
  cluster.start()
  const slices = machines * MEDIUMS_PER_NODE
  cluster.queue.add(slices, forMs)
  await cluster.until('all run', () => running(cluster) === slices)
  return cluster
}

/** A launching hook of somebody else. The default result is that of AWS. */
export function putLaunchHook(
  cluster: Cluster,
  { timeoutS = 1800, result = 'ABANDON' }: { timeoutS?: number; result?: string } = {},
): void {
  cluster.call('PutLifecycleHook', {
    LifecycleHookName: 'launch',
    AutoScalingGroupName: 'clients',
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
    HeartbeatTimeout: timeoutS,
    DefaultResult: result,
  })
}

/** @throws Error when Nomad does not know its node. */
export function nodeOf({ nomad }: Cluster, instance: string): NomadNode {
  const node = nomad.nodeOf(instance)
  if (node === undefined) throw new Error(`${instance} has no node`)
  return node
}

export function running({ queue }: Cluster): number {
  return [...queue.slices.values()].filter(({ allocation }) => allocation !== null).length
}

/** Allocations that went down with their machine. */
export function lost({ nomad }: Cluster): number {
  return [...nomad.allocations.values()].filter(({ ClientStatus }) => ClientStatus === 'lost')
    .length
}

/** Somebody else ends it, or any one. @returns its id. */
export function endByHand(cluster: Cluster, decrement = true, instance = anyOf(cluster)): string {
  cluster.call(TERMINATE, {
    InstanceId: instance,
    ShouldDecrementDesiredCapacity: decrement,
  })
  return instance
}

/** Somebody else completes our hook. */
export function completeByHand(cluster: Cluster, instance: string): void {
  cluster.call('CompleteLifecycleAction', {
    AutoScalingGroupName: 'clients',
    LifecycleHookName: 'drain',
    InstanceId: instance,
    LifecycleActionResult: 'CONTINUE',
  })
}

export function anyOf(cluster: Cluster): string {
  const [instance = ''] = cluster.members('InService')
  return instance
}

export function updateGroup(cluster: Cluster, fields: object): void {
  cluster.call('UpdateAutoScalingGroup', { AutoScalingGroupName: 'clients', ...fields })
}

export function setDesired(cluster: Cluster, size: number): void {
  cluster.call('SetDesiredCapacity', { AutoScalingGroupName: 'clients', DesiredCapacity: size })
}

export async function untilGone(cluster: Cluster, mostMs = HOUR): Promise<void> {
  await cluster.until('all machines are gone', () => cluster.group.members.size === 0, mostMs)
}

/** By whom hooks were ended, in order. */
export function closings({ events }: Cluster): string[] {
  return events.flatMap((event) => (event.type === 'action-closed' ? [event.by] : []))
}

/** In seconds, of drains that came to their end. */
export function drainTimes({ metrics }: Cluster): number[] {
  return metrics.flatMap(({ name, value }) =>
    name === 'circle.fleet.drain.duration' ? [value] : [],
  )
}

/** What the desired size was, one after the other. */
export function sizes({ events }: Cluster): number[] {
  return events.flatMap((event) => (event.type === 'desired' ? [event.to] : []))
}

/** How often our controllers called it. */
export function count({ calls }: Cluster, action: string): number {
  return calls.filter((call) => call === action).length
}

/** Everything that explains what was done and what was not. */
export function notes({ store }: Cluster): string {
  const ticks = store.readTicks({ limit: 10_000 })
  return ticks.flatMap(({ why }) => why.flatMap((each) => each.notes)).join('\n')
}

/** What a person is told to look at. */
export function alarms({ lines }: Cluster): string[] {
  return lines.filter(({ level }) => level === 'error').map(({ message }) => message)
}

export type SeenCall = Parameters<AwsIntercept>[0]

/** Keeps what our controllers call. */
export function recording(seen: SeenCall[]): AwsIntercept {
  return (call, next) => {
    seen.push(structuredClone(call))
    return next()
  }
}

export interface Rule {
  times: number
  refusal: Refusal
}

/** Each of these calls is refused so often. */
export function refusing(rules: Record<string, Rule>): AwsIntercept {
  return (call, next) => {
    const rule = rules[call.action]
    if (rule === undefined || rule.times <= 0) return next()
    rule.times -= 1
    throw rule.refusal
  }
}
