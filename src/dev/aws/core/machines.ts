/** The machines behind the instances: EC2's side of the story, which knows nothing of hooks. */
import { tell } from './events.ts'
import { createEc2Id, createPrivateIp, toImageId } from './identifiers.ts'
import type { MachineState } from './states.ts'
import { Timeline } from './timeline.ts'
import type { Group, Machine, TargetState, World } from './world.ts'

export function createMachine(
  world: World,
  group: Group,
  place: { zone: string; subnet: string; target: TargetState },
): Machine {
  const { template } = group
  const number = template === null ? 1 : versionNumber(world, template)
  const image = template === null ? group.name : `${template.name}:${number}`
  const breaks = world.conditions.brokenBoots > 0
  if (breaks) world.conditions.brokenBoots--
  const machine: Machine = {
    id: createEc2Id(world, 'i'),
    reservationId: createEc2Id(world, 'r'),
    group: group.name,
    zone: place.zone,
    subnet: place.subnet,
    instanceType: group.instanceType,
    template: template === null ? null : { ...template, number },
    imageId: toImageId(image),
    privateIp: createPrivateIp(world),
    isSpot: group.spot,
    bootsBroken: breaks,
    launchedAt: world.now,
    state: new Timeline<MachineState>(world.now, 'pending'),
    tags: new Map([['aws:autoscaling:groupName', group.name]]),
    target: new Timeline<TargetState>(world.now, place.target),
    isBooted: false,
    spotNotice: null,
    rebalanceAt: null,
    stateReason: null,
    isTerminationDisabled: false,
    onShutdown: 'terminate',
    shutdownMs: world.settings.shutdownMs,
  }
  for (const [key, tag] of group.tags) if (tag.propagate) machine.tags.set(key, tag.value)
  world.machines.set(machine.id, machine)
  tell(world, { type: 'machine', instance: machine.id, group: group.name, state: 'pending' })
  scheduleStart(world, machine)
  return machine
}

/** A stopped machine of a warm pool comes back. */
export function startMachine(world: World, machine: Machine): void {
  machine.launchedAt = world.now
  setMachineState(world, machine, 'pending')
  scheduleStart(world, machine)
}

function scheduleStart(world: World, machine: Machine): void {
  const { launchMs, bootMs } = world.settings
  const instance = machine.id
  world.agenda.add(world.now + launchMs, { kind: 'machine-running', instance })
  if (machine.bootsBroken) return
  const launchedAt = machine.launchedAt
  world.agenda.add(world.now + bootMs, { kind: 'machine-booted', instance, launchedAt })
}

/** Which version a reference means today. */
export function versionNumber(world: World, template: { name: string; version: string }): number {
  if (template.version === '$Default') return 1
  if (template.version === '$Latest') return world.templates.get(template.name)?.latest ?? 1
  return Number(template.version)
}

/** Its own software is up, unless it has gone down in between. @returns whether it is news. */
export function boot(world: World, machine: Machine, launchedAt: number): boolean {
  if (machine.launchedAt !== launchedAt || !isAlive(machine)) return false
  if (machine.state.value !== 'running' || machine.isBooted) return false
  machine.isBooted = true
  tell(world, { type: 'booted', instance: machine.id, group: machine.group })
  return true
}

export function setMachineState(world: World, machine: Machine, state: MachineState): void {
  machine.state.set(world.now, state)
  if (state !== 'running') machine.isBooted = false
  tell(world, { type: 'machine', instance: machine.id, group: machine.group, state })
}

export function isAlive(machine: Machine): boolean {
  return machine.state.value === 'pending' || machine.state.value === 'running'
}

/** Begins the end of a machine; one that is ending already goes on as it does. */
export function haltMachine(
  world: World,
  machine: Machine,
  to: 'terminated' | 'stopped',
  reason: { code: string; message: string },
): void {
  const state = machine.state.value
  if (state === 'terminated' || state === 'shutting-down') return
  if (to === 'stopped' && !isAlive(machine)) return
  machine.stateReason = reason
  setMachineState(world, machine, to === 'stopped' ? 'stopping' : 'shutting-down')
  const at = world.now + machine.shutdownMs
  world.agenda.add(at, { kind: 'machine-halted', instance: machine.id })
}

/** It has come to its end. */
export function finishHalt(world: World, machine: Machine): void {
  const isStopping = machine.state.value === 'stopping'
  setMachineState(world, machine, isStopping ? 'stopped' : 'terminated')
  if (isStopping) return
  const at = world.now + world.settings.terminatedVisibleMs
  world.agenda.add(at, { kind: 'machine-forgotten', instance: machine.id })
}

export const REASONS = {
  user: {
    code: 'Client.UserInitiatedShutdown',
    message: 'Client.UserInitiatedShutdown: User initiated shutdown',
  },
  self: {
    code: 'Client.InstanceInitiatedShutdown',
    message: 'Client.InstanceInitiatedShutdown: Instance initiated shutdown',
  },
  spot: {
    code: 'Server.SpotInstanceTermination',
    message: 'Server.SpotInstanceTermination: Spot instance termination',
  },
} as const
