/** Groups without machines, and an observer that looks at them. On a virtual clock. */
import type { Test } from 'tap'
import { AwsEmulator, type AwsIntercept } from '../../../src/dev/aws/index.ts'
import { createSteadyTime, type PoolPolicy } from '../../../src/fleet/index.ts'
import { Observer } from '../../../src/fleet/observe/observer.ts'
import { silentLog, TestClock } from '../../../src/platform/index.ts'
import { FakeNomad } from './nomad.ts'
import { NO_DEMAND } from './queue.ts'
import { regionOf } from './region.ts'
import { seeded } from './seeded.ts'

/** @param intercept stands between the observer and AWS. */
export function observed(t: Test, policies: readonly PoolPolicy[], intercept: AwsIntercept) {
  const clock = new TestClock()
  const emulator = new AwsEmulator({ clock, random: seeded(1), rate: null })
  t.teardown(() => emulator.close())
  for (const { group } of policies) {
    emulator.call('autoscaling', 'CreateAutoScalingGroup', {
      AutoScalingGroupName: group,
      LaunchTemplate: { LaunchTemplateName: 'client', Version: '1' },
      MinSize: 0,
      MaxSize: 5,
      AvailabilityZones: ['a'],
    })
  }
  const region = regionOf(emulator, clock, intercept)
  const nomad = new FakeNomad(clock)
  const observer = new Observer({
    policies,
    awsOf: () => region,
    nomad,
    demand: NO_DEMAND,
    clock,
    now: createSteadyTime(clock),
    log: silentLog,
  })
  const orders = { pins: new Map(), sizes: new Map() }
  /** @param told hears each time when there is something new to decide on. */
  const look = (told: () => void = () => undefined) =>
    observer.look(orders, new AbortController().signal, told)
  return { clock, nomad, observer, look }
}
