/** A cluster whose machines are at work, and somebody who ends one of them. */
import type { Test } from 'tap'
import { aCluster, type Cluster, type ClusterOptions } from './cluster.ts'

/** Two machines that run two slices each for so long. */
export async function busyCluster(t: Test, durationMs: number, options: ClusterOptions = {}) {
  const cluster = await aCluster({ group: { min: 0, max: 10 }, ...options })
  t.teardown(() => cluster.close())
  cluster.start()
  cluster.queue.add(4, durationMs)
  await cluster.until('all run', () => running(cluster) === 4)
  return cluster
}

export function running({ queue }: Cluster): number {
  return [...queue.slices.values()].filter(({ allocation }) => allocation !== null).length
}

/** Somebody else ends a machine. @returns its id. */
export function terminateOne(cluster: Cluster): string {
  const [instance = ''] = cluster.members('InService')
  cluster.call('TerminateInstanceInAutoScalingGroup', {
    InstanceId: instance,
    ShouldDecrementDesiredCapacity: true,
  })
  return instance
}

export function closings({ events }: Cluster): string[] {
  return events.flatMap((event) => (event.type === 'action-closed' ? [event.by] : []))
}

/** In seconds, of drains that came to their end. */
export function drainTimes({ metrics }: Cluster): number[] {
  return metrics.flatMap(({ name, value }) =>
    name === 'circle.fleet.drain.duration' ? [value] : [],
  )
}
